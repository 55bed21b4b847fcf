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
	fmt.Fprintf(w, "# Commands\n\nGenerated from the command table: do not edit. Of the %d commands and subcommands of Redis 7.2 that can be called, %d are here.\n"+
		"The last column says how a command differs from Redis 7.2, and why; where it is empty no difference is known. \n",
		callable, here)
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	sort.Strings(names)
	listed := map[*Command]bool{}
	for _, name := range names {
		fmt.Fprintf(w, docsHeader, name)
		for _, r := range groups[name] {
			cmd := t.findSpaced(r.Name)
			listed[cmd] = true
			if !r.Container {
				writeDocsRow(w, r, cmd)
			}
		}
	}
	beyond := 0
	for _, cmd := range t.all {
		if listed[cmd] || cmd.Sub != nil {
			continue
		}
		if beyond++; beyond == 1 {
			fmt.Fprintf(w, docsHeader, "later than Redis 7.2")
		}
		writeDocsRow(w, RedisCommand{Name: strings.ToUpper(strings.ReplaceAll(cmd.FullName(), "|", " ")), Since: cmd.Since}, cmd)
	}
	return w.Flush()
}

const docsHeader = "\n## %s\n\n| command | here | since | what it does | differs from Redis 7.2 |\n|---|---|---|---|---|\n"

// writeDocsRow writes the line of one command; cmd is nil if it is not here.
func writeDocsRow(w io.Writer, r RedisCommand, cmd *Command) {
	mark, summary, differs := "", "", "Not here yet."
	if cmd != nil {
		mark, summary, differs = "yes", cmd.Summary, manualOf(cmd.FullName()).differences(cmd)
	}
	if r.Deprecated {
		summary = strings.TrimSpace(summary + " *Deprecated.*")
	}
	fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", r.Name, mark, r.Since, summary, strings.ReplaceAll(differs, "|", "\\|"))
}

// differences says how the command differs from Redis 7.2, and why.
func (m *manual) differences(cmd *Command) string {
	switch {
	case cmd.Name == "help":
		return "The text is in our own words."
	case m == nil:
		return ""
	}
	return m.differs
}
