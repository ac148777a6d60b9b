package pki

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestACertificateIsMadeAnewOnlyForOtherNames(t *testing.T) {
	folder := t.TempDir()
	authority, err := OpenAuthority(filepath.Join(folder, "ca"), "test-ca")
	if err != nil {
		t.Fatal(err)
	}
	issue := func(names ...string) []byte {
		base := filepath.Join(folder, "leaf")
		if err := authority.Issue(base, Subject{Name: "a", SANs: names, Server: true}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(base + ".crt")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := issue("localhost", "127.0.0.1")
	if !bytes.Equal(first, issue("localhost", "127.0.0.1")) {
		t.Error("made anew for the same names")
	}
	if bytes.Equal(first, issue("localhost", "10.0.0.1")) {
		t.Error("kept for other names")
	}
}

func TestAKeyIsSignedOnlyForWhoHasIt(t *testing.T) {
	request, err := Request(filepath.Join(t.TempDir(), "own.key"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := RequestedKey(request); err != nil {
		t.Error(err)
	}
	if _, err := RequestedKey([]byte("no request")); err == nil {
		t.Error("accepted")
	}
}
