package command

import (
	"fmt"
	"strings"
)

// Table finds commands by name. It is immutable.
type Table struct {
	rows   []Command
	byName map[string]*Command
	all    []*Command // rows and subcommands, by Command.index
}

// families lists every family of commands; each is in a file of its own.
var families = []func() []Command{
	stringCommands,
	stringCompareCommands,
	genericCommands,
	bitmapCommands,
	hashCommands,
	hashExpireCommands,
	listCommands,
	listBlockingCommands,
	setCommands,
	zsetCommands,
	hyperLogLogCommands,
	geoCommands,
	sortCommands,
	connectionCommands,
	clientCommands,
	transactionCommands,
	introspectionCommands,
	configCommands,
	adminCommands,
	observeCommands,
	debugCommands,
	aclCommands,
	dumpCommands,
	clusterCommands,
	migrateCommands,
	scriptCommands,
	pubsubCommands,
	streamCommands,
	streamRefsCommands,
	moduleCommands,
	psyncCommands,
}

// NewTable builds the table.
func NewTable() *Table {
	t := &Table{byName: map[string]*Command{}}
	for _, family := range families {
		t.rows = append(t.rows, family()...)
	}
	for i := range t.rows {
		row := &t.rows[i]
		if t.byName[row.Name] != nil {
			panic(fmt.Sprintf("command: %s stands in the table twice", row.Name))
		}
		t.byName[row.Name] = row
		t.number(row)
		for j := range row.Sub {
			row.Sub[j].container = row
			t.number(&row.Sub[j])
		}
	}
	return t
}

func (t *Table) number(c *Command) {
	c.index = len(t.all)
	c.short = c.Run != nil && (c.Flags&Fast != 0 || c.Name == "set")
	c.overwrites = c.Name == "set" || c.addend != nil
	t.all = append(t.all, c)
}

// All returns every row and subcommand. It must not be changed.
func (t *Table) All() []*Command { return t.all }

// Rename gives a command another name, or takes it away if that is empty
// (rename-command). It must come before the table is shared.
func (t *Table) Rename(from, to string) error {
	from, to = strings.ToLower(from), strings.ToLower(to)
	row := t.byName[from]
	if row == nil {
		return Error("No such command in rename-command")
	}
	delete(t.byName, from)
	if to == "" {
		return nil
	}
	if t.byName[to] != nil {
		return Error("Target command name already exists")
	}
	t.byName[to] = row
	return nil
}

// Find returns the row of a command, or nil. Name may be in any case.
func (t *Table) Find(name []byte) *Command {
	var lower [32]byte
	if len(name) > len(lower) {
		return nil
	}
	for i, b := range name {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		lower[i] = b
	}
	return t.byName[string(lower[:len(name)])]
}

// named returns the row that arguments name, or nil: a container's own if they name no subcommand.
func (t *Table) named(args [][]byte) *Command {
	cmd := t.Find(args[0])
	if cmd != nil && len(cmd.Sub) > 0 && len(args) > 1 {
		cmd = cmd.FindSub(args[1])
	}
	return cmd
}

// FindSub returns the row of a container's subcommand, or nil.
func (c *Command) FindSub(name []byte) *Command {
	for i := range c.Sub {
		if equalFold(name, c.Sub[i].Name) {
			return &c.Sub[i]
		}
	}
	return nil
}

func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		x := b[i]
		if 'A' <= x && x <= 'Z' {
			x += 'a' - 'A'
		}
		if x != lower[i] {
			return false
		}
	}
	return true
}
