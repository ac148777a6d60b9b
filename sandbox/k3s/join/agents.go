package join

import (
	"encoding/json"
	"os"
)

// Agents is what a server decides for all hosts of its cluster.
type Agents struct {
	// EmbeddedRegistry: the hosts give each other their images.
	EmbeddedRegistry bool
}

// SaveAgents keeps it for the hosts that ask.
func SaveAgents(agents Agents) error {
	text, err := json.Marshal(agents)
	if err != nil {
		return err
	}
	return os.WriteFile(agentsFile, text, 0o600)
}

// FetchAgents asks the server for it.
func (c *Client) FetchAgents() (Agents, error) {
	var agents Agents
	text, err := c.get("config")
	if err != nil {
		return agents, err
	}
	return agents, json.Unmarshal(text, &agents)
}
