package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// values are the words of each key, as written.
type values map[string][]string

func (v values) last(key string) string {
	if list := v[key]; len(list) > 0 {
		return list[len(list)-1]
	}
	return ""
}

// addFiles reads a configuration file and the drop-ins beside it; a missing one is none.
func (v values) addFiles(file string) error {
	dropIns, err := filepath.Glob(file + ".d/*.yaml")
	if err != nil {
		return err
	}
	slices.Sort(dropIns)
	for _, path := range append([]string{file}, dropIns...) {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = v.addYAML(text)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// addYAML takes scalars as they are written, so that 0600 stays 0600; `key+` adds to what is there.
func (v values) addYAML(text []byte) error {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return err
	}
	if len(document.Content) == 0 {
		return nil
	}
	entries := document.Content[0]
	if entries.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: not a list of `key: value`", entries.Line)
	}
	for i := 0; i < len(entries.Content); i += 2 {
		key, value := entries.Content[i].Value, entries.Content[i+1]
		var list []string
		switch value.Kind {
		case yaml.ScalarNode:
			list = []string{value.Value}
		case yaml.SequenceNode:
			for _, item := range value.Content {
				if item.Kind != yaml.ScalarNode {
					return fmt.Errorf("line %d: %s holds something that is no word", item.Line, key)
				}
				list = append(list, item.Value)
			}
		default:
			return fmt.Errorf("line %d: %s is neither a word nor a list of words", value.Line, key)
		}
		if plain, more := strings.CutSuffix(key, "+"); more {
			v[plain] = append(v[plain], list...)
		} else {
			v[key] = list
		}
	}
	return nil
}

// parseFlags reads --key=value, --key value and, for switches, --key alone; a repeated flag is a list.
func parseFlags(arguments []string) (values, error) {
	flags := values{}
	for i := 0; i < len(arguments); i++ {
		word, isFlag := strings.CutPrefix(arguments[i], "-")
		if !isFlag {
			return nil, fmt.Errorf("%q is not a flag", arguments[i])
		}
		key, value, given := strings.Cut(strings.TrimPrefix(word, "-"), "=")
		if long := short[key]; long != "" {
			key = long
		}
		switch {
		case given:
		case implemented[key] == "switch":
			value = "true"
		case i+1 < len(arguments):
			i++
			value = arguments[i]
		default:
			return nil, fmt.Errorf("flag needs an argument: -%s", key)
		}
		flags[key] = append(flags[key], value)
	}
	return flags, nil
}
