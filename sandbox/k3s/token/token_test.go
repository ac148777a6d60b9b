package token

import (
	"strings"
	"testing"
)

func TestALongTokenKeepsItsParts(t *testing.T) {
	text := "K10" + Sum([]byte("ca")) + "::node:pass:word"
	got, err := Parse(text, Server)
	if err != nil {
		t.Fatal(err)
	}
	if got.User != Node || got.Password != "pass:word" || got.String() != text {
		t.Errorf("%+v", got)
	}
}

func TestABarePasswordBelongsToTheUserWhoAsks(t *testing.T) {
	got, err := Parse("secret", Node)
	if err != nil || got.User != Node || got.Sum != "" || got.String() != "secret" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAnythingElseIsRefused(t *testing.T) {
	for _, text := range []string{"", "K10abc::node:x", "K10" + strings.Repeat("0", 64) + "::node", "a::b"} {
		if got, err := Parse(text, Node); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
