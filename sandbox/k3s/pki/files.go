package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
	"time"
)

// renewBefore: as k3s does, a certificate is made anew at a start within this time of its end.
const renewBefore = 120 * 24 * time.Hour

// Issue writes BASE.crt and BASE.key; what is there stays while it says the same and lives long enough.
func (a *Authority) Issue(base string, subject Subject) error {
	key, err := OpenKey(base + ".key")
	if err != nil {
		return err
	}
	wanted, err := a.Sign(subject, key.Public())
	if err != nil {
		return err
	}
	if _, old, err := readCertificate(base + ".crt"); err == nil && a.same(old, wanted) {
		return nil
	}
	return os.WriteFile(base+".crt", wanted, 0o644)
}

func (a *Authority) same(old *x509.Certificate, wantedPEM []byte) bool {
	block, _ := pem.Decode(wantedPEM)
	wanted, err := x509.ParseCertificate(block.Bytes)
	if err != nil || old.CheckSignatureFrom(a.certificate) != nil || time.Until(old.NotAfter) < renewBefore {
		return false
	}
	return bytes.Equal(old.RawSubject, wanted.RawSubject) && slices.Equal(old.DNSNames, wanted.DNSNames) &&
		fmt.Sprint(old.IPAddresses) == fmt.Sprint(wanted.IPAddresses) && slices.Equal(old.ExtKeyUsage, wanted.ExtKeyUsage) &&
		bytes.Equal(old.RawSubjectPublicKeyInfo, wanted.RawSubjectPublicKeyInfo)
}

// OpenKey reads a private key, made on the first call.
func OpenKey(path string) (crypto.Signer, error) {
	if _, err := os.Stat(path); os.IsNotExist(err) {
		key, err := newKey()
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			return nil, err
		}
		return key, os.WriteFile(path, encode("EC PRIVATE KEY", der), 0o600)
	}
	return readKey(path)
}

// Request makes a certificate request, in PEM, for the key in a file. Who asks is the signer's business.
func Request(keyPath string) ([]byte, error) {
	key, err := OpenKey(keyPath)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{}}, key)
	return encode("CERTIFICATE REQUEST", der), err
}

// RequestedKey returns the public key of a certificate request whose sender has the private one.
func RequestedKey(text []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("not a certificate request")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	return request.PublicKey, request.CheckSignature()
}

func readCertificate(path string) ([]byte, *x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, nil, fmt.Errorf("%s is not PEM", path)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	return text, certificate, err
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", path)
	}
	return x509.ParseECPrivateKey(block.Bytes)
}
