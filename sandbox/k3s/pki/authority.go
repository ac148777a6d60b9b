// Package pki makes the cluster's certificates; as in k3s, CAs live ten years and what they sign one.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

const year = 365 * 24 * time.Hour

// Authority is a CA with its key.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	// PEM is the certificate as it lies in its file.
	PEM []byte
}

// Subject is whom a certificate speaks of. A client has groups, a server has names.
type Subject struct {
	Name   string
	Groups []string
	// Host names and IP addresses.
	SANs []string
	// Server and Client are what it may be used for.
	Server, Client bool
}

// OpenAuthority reads BASE.crt and BASE.key, made on the first call.
func OpenAuthority(base, name string) (*Authority, error) {
	if _, err := os.Stat(base + ".crt"); os.IsNotExist(err) {
		if err := newAuthority(base, name); err != nil {
			return nil, err
		}
	}
	text, certificate, err := readCertificate(base + ".crt")
	if err != nil {
		return nil, err
	}
	key, err := readKey(base + ".key")
	if err != nil {
		return nil, err
	}
	return &Authority{certificate, key, text}, nil
}

func newAuthority(base, name string) error {
	key, err := OpenKey(base + ".key")
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: fmt.Sprintf("%s@%d", name, now.Unix())},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(10 * year),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	return os.WriteFile(base+".crt", encode("CERTIFICATE", der), 0o644)
}

// Sign makes a certificate, in PEM, for somebody's public key.
func (a *Authority) Sign(subject Subject, public crypto.PublicKey) ([]byte, error) {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: subject.Name, Organization: subject.Groups},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(year),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	for _, san := range subject.SANs {
		if ip := net.ParseIP(san); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if san != "" {
			template.DNSNames = append(template.DNSNames, san)
		}
	}
	if subject.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if subject.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, public, a.key)
	if err != nil {
		return nil, err
	}
	return append(encode("CERTIFICATE", der), a.PEM...), nil
}

func serial() *big.Int {
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // the kernel has no random numbers
	}
	return number
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func newKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}
