package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// A sample is one raw line of results, as measured.
type sample struct {
	Race      string             `json:"race"`
	Contender string             `json:"contender"`
	Shape     string             `json:"shape"`
	Round     int                `json:"round"`
	Values    map[string]float64 `json:"values"`
}

// values are the numbers of a line of JSON, their names begun with prefix.
func values(line, prefix string) (map[string]float64, error) {
	var all map[string]any
	if err := json.Unmarshal([]byte(line), &all); err != nil {
		return nil, fmt.Errorf("%q: %w", line, err)
	}
	numbers := map[string]float64{}
	for name, v := range all {
		if number, ok := v.(float64); ok {
			numbers[prefix+name] = number
		}
	}
	return numbers, nil
}

// A store keeps samples as they come, a line each.
type store struct {
	file *os.File
	out  *json.Encoder
}

func createStore(name string) (*store, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	return &store{file, json.NewEncoder(file)}, nil
}

func (s *store) add(v sample) error { return s.out.Encode(v) }
func (s *store) close() error       { return s.file.Close() }

func loadSamples(name string) ([]sample, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all []sample
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, s)
	}
	return all, nil
}
