// Package token knows the form of k3s's tokens: K10<sum of the CA>::<user>:<password>. docs.k3s.io/cli/token
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Users of the join service: servers may do everything, nodes only ask for their own certificates.
const (
	Server = "server"
	Node   = "node"
)

// Token is what a host joins with. Without Sum it trusts whatever CA answers.
type Token struct {
	Sum, User, Password string
}

// Parse reads a token; one that is a bare password belongs to user.
func Parse(text, user string) (Token, error) {
	rest, full := strings.CutPrefix(text, "K10")
	if !full {
		if text == "" || strings.Contains(text, "::") {
			return Token{}, fmt.Errorf("invalid token format")
		}
		return Token{User: user, Password: text}, nil
	}
	sum, credentials, found := strings.Cut(rest, "::")
	name, password, named := strings.Cut(credentials, ":")
	if raw, err := hex.DecodeString(sum); !found || !named || err != nil || len(raw) != sha256.Size || password == "" {
		return Token{}, fmt.Errorf("invalid token format")
	}
	return Token{Sum: sum, User: name, Password: password}, nil
}

// String is the long form where the sum is known, else the password.
func (t Token) String() string {
	if t.Sum == "" {
		return t.Password
	}
	return "K10" + t.Sum + "::" + t.User + ":" + t.Password
}

// Sum is the SHA-256 of a CA's file, in hex.
func Sum(authority []byte) string {
	sum := sha256.Sum256(authority)
	return hex.EncodeToString(sum[:])
}

// NewPassword makes 128 random bits, in hex.
func NewPassword() string {
	password := make([]byte, 16)
	rand.Read(password) // never fails: it ends the program instead
	return hex.EncodeToString(password)
}
