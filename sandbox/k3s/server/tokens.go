package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"piray/sandbox/k3s/config"
	"piray/sandbox/k3s/join"
	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/token"
)

// passwords are what hosts join with.
type passwords struct {
	server, node string
}

// choosePasswords takes them from the configuration, else from an earlier start, else makes one.
func choosePasswords(config *config.Config) (passwords, error) {
	kept, err := keptPassword()
	if err != nil {
		return passwords{}, err
	}
	chosen := passwords{server: kept}
	if config.Token != "" {
		parsed, err := token.Parse(config.Token, token.Server)
		if err != nil {
			return passwords{}, err
		}
		chosen.server = parsed.Password
	}
	if kept != "" && chosen.server != kept {
		return passwords{}, errors.New("bootstrap data already found and encrypted with different token")
	}
	if chosen.server == "" {
		chosen.server = token.NewPassword()
	}
	chosen.node = chosen.server
	if config.AgentToken != "" {
		parsed, err := token.Parse(config.AgentToken, token.Node)
		if err != nil {
			return passwords{}, err
		}
		chosen.node = parsed.Password
	}
	return chosen, nil
}

func keptPassword() (string, error) {
	text, err := os.ReadFile(layout.Server + "/token")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	parsed, err := token.Parse(strings.TrimSpace(string(text)), token.Server)
	return parsed.Password, err
}

// write makes the files that others copy tokens from, and tells the join service. A node's token is a link to the
// server's while there is only one password, as in k3s.
func (p passwords) write() error {
	authority, err := os.ReadFile(layout.TLS + "/server-ca.crt")
	if err != nil {
		return err
	}
	sum := token.Sum(authority)
	server := token.Token{Sum: sum, User: token.Server, Password: p.server}
	if err := writeToken(layout.Server+"/token", server); err != nil {
		return err
	}
	if err := link(layout.Server+"/token", layout.Server+"/node-token"); err != nil {
		return err
	}
	if p.node == p.server {
		err = link(layout.Server+"/token", layout.Server+"/agent-token")
	} else {
		err = writeToken(layout.Server+"/agent-token", token.Token{Sum: sum, User: token.Node, Password: p.node})
	}
	if err != nil {
		return err
	}
	return join.SavePasswords(p.server, p.node)
}

func writeToken(path string, token token.Token) error {
	if err := remove(path); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(token.String()+"\n"), 0o600)
}

func link(target, path string) error {
	if err := remove(path); err != nil {
		return err
	}
	return os.Symlink(target, path)
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("old token: %w", err)
	}
	return nil
}
