package command

import (
	"bufio"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"sort"
	"strings"
)

// redisCommands lists the commands and subcommands of Redis 7.2: name, kind, group, arity, since …
//
//go:embed data/commands-7.2.csv
var redisCommands string

// RedisCommand is a command of Redis 7.2, whether it exists here or not.
type RedisCommand struct {
	Name                string // "CLIENT KILL"
	Container           bool   // only its subcommands can be called
	Group, Arity, Since string
	Sentinel            bool // Redis itself has it in Sentinel mode only
	Write, Deprecated   bool
	RequestPolicy       string
	ResponsePolicy      string
}

// RedisCommands reads the list.
func RedisCommands() ([]RedisCommand, error) {
	lines, err := csv.NewReader(strings.NewReader(redisCommands)).ReadAll()
	if err != nil {
		return nil, err
	}
	column := map[string]int{}
	for i, name := range lines[0] {
		column[name] = i
	}
	var all []RedisCommand
	for _, l := range lines[1:] {
		get := func(name string) string { return l[column[name]] }
		all = append(all, RedisCommand{
			Name: get("name"), Container: strings.Contains(get("cluster_note"), "container"), Group: get("group"), Sentinel: strings.HasPrefix(get("cluster_note"), "sentinel"), Arity: get("arity"), Since: get("since"),
			Write: get("write") == "w", Deprecated: get("deprecated") != "", RequestPolicy: get("request_policy"), ResponsePolicy: get("response_policy"),
		})
	}
	return all, nil
}

// findSpaced finds "CLIENT KILL".
func (t *Table) findSpaced(name string) *Command {
	container, sub, has := strings.Cut(name, " ")
	cmd := t.Find([]byte(container))
	if cmd != nil && has {
		return cmd.FindSub([]byte(sub))
	}
	return cmd
}

// WriteDocs prints docs/commands.md: every command of Redis 7.2, and whether it is here.
func (t *Table) WriteDocs(to io.Writer) error {
	all, err := RedisCommands()
	if err != nil {
		return err
	}
	groups := map[string][]RedisCommand{}
	callable, here := 0, 0
	for _, r := range all {
		if r.Sentinel {
			continue
		}
		groups[r.Group] = append(groups[r.Group], r)
		if !r.Container {
			callable++
			if t.findSpaced(r.Name) != nil {
				here++
			}
		}
	}
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "# Commands\n\nGenerated from the command table: do not edit. Of the %d commands and subcommands of Redis 7.2 that can be called, %d are here.\n", callable, here)
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(w, "\n## %s\n\n| command | here | since | what it does |\n|---|---|---|---|\n", name)
		for _, r := range groups[name] {
			if r.Container {
				continue
			}
			mark, summary := "", ""
			if cmd := t.findSpaced(r.Name); cmd != nil {
				mark, summary = "yes", cmd.Summary
			}
			if r.Deprecated {
				summary = strings.TrimSpace(summary + " *Deprecated.*")
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s |\n", r.Name, mark, r.Since, summary)
		}
	}
	return w.Flush()
}
