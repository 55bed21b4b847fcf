package acl

import "strings"

// Categories are all categories of commands, in the order of ACL CAT.
var Categories = []string{"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo",
	"stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting"}

// Command is a command or a subcommand as rules see it.
type Command struct {
	Name       string   // lower case: "get", "config|get"
	Container  int      // index of the command that it is a subcommand of, -1 for none
	Categories []string // without the @
}

// Catalog is all there is to be allowed. A command is known by its index. It is
// immutable and may be used from any goroutine.
type Catalog struct {
	commands   []Command
	byName     map[string]int
	subs       [][]int
	byCategory map[string][]int
}

// NewCatalog makes a catalog of the commands; a container stands before its subcommands.
func NewCatalog(commands []Command) *Catalog {
	c := &Catalog{commands: commands, byName: make(map[string]int, len(commands)), subs: make([][]int, len(commands)), byCategory: map[string][]int{}}
	for _, name := range Categories {
		c.byCategory[name] = nil
	}
	for i, cmd := range commands {
		c.byName[cmd.Name] = i
		if cmd.Container >= 0 {
			c.subs[cmd.Container] = append(c.subs[cmd.Container], i)
		}
		for _, category := range cmd.Categories {
			c.byCategory[category] = append(c.byCategory[category], i)
		}
	}
	return c
}

// find returns the index of a command, "get" or "config|get" in any case.
func (c *Catalog) find(name string) (int, bool) {
	i, ok := c.byName[strings.ToLower(name)]
	return i, ok
}

// bits is a set of commands.
type bits []uint64

func (c *Catalog) none() bits { return make(bits, (len(c.commands)+63)/64) }

func (b bits) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

func (b bits) set(i int, on bool) {
	if on {
		b[i/64] |= 1 << (i % 64)
	} else {
		b[i/64] &^= 1 << (i % 64)
	}
}

func (b bits) setAll(on bool) {
	for i := range b {
		b[i] = 0
		if on {
			b[i] = ^uint64(0)
		}
	}
}
