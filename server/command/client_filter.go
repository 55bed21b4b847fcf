package command

import (
	"net"
	"strconv"
	"strings"

	"cobble/storage"
)

// The filters of CLIENT LIST and CLIENT KILL: those of Redis 7.2 and 8, of which LIST
// took only TYPE or ID, and those of Valkey 8.1 and 9, where both take all of them, in
// any number. A client is meant if every filter says so.

// clientFilter is what CLIENT LIST and CLIENT KILL select by.
type clientFilter struct {
	call   *Call
	now    int64                         // Unix milliseconds
	keep   map[string]func(*Client) bool // by name: the last one counts
	ids    map[uint64]bool               // nil: any
	notIDs map[uint64]bool
	skipMe bool
}

const errClientID Error = "ERR Invalid client ID"

// candidates are those clients that may match, in the order of their IDs.
func (f *clientFilter) candidates() []*Client {
	if f.ids != nil {
		return f.call.Env.Clients.some(f.ids)
	}
	return f.call.Env.Clients.List()
}

func (f *clientFilter) matches(cl *Client) bool {
	if f.skipMe && cl == f.call.Client || f.ids != nil && !f.ids[cl.ID] || f.notIDs[cl.ID] {
		return false
	}
	for _, keep := range f.keep {
		if !keep(cl) {
			return false
		}
	}
	return true
}

// parse reads filters. A word that is no id is badID in CLIENT LIST; CLIENT KILL, for
// which that is nil, says of the first that it should be greater than 0.
func (f *clientFilter) parse(args [][]byte, badID error) error {
	f.keep = map[string]func(*Client) bool{}
	for len(args) > 0 {
		if len(args) == 1 {
			return ErrSyntax
		}
		word := strings.ToLower(string(args[0]))
		name, not := strings.CutPrefix(word, "not-")
		if name == "id" {
			n, err := f.parseIDs(args[1:], not, badID)
			if err != nil {
				return err
			}
			args = args[1+n:]
			continue
		}
		keep, err := f.one(name, not, args[1])
		if err != nil {
			return err
		}
		if not {
			positive := keep
			keep = func(cl *Client) bool { return !positive(cl) }
		}
		if keep != nil {
			f.keep[word] = keep
		}
		args = args[2:]
	}
	return nil
}

// parseIDs reads the ids behind ID or NOT-ID and returns how many words they are.
func (f *clientFilter) parseIDs(args [][]byte, not bool, badID error) (n int, err error) {
	to := &f.ids
	if not {
		to = &f.notIDs
	}
	if *to == nil {
		*to = map[uint64]bool{}
	}
	for _, arg := range args {
		id, ok := storage.ParseInt(arg)
		switch {
		case badID == nil && n == 0 && (!ok || id < 1):
			return 0, Error("ERR client-id should be greater than 0")
		case !ok && n > 0 && (badID == nil || isClientFilter(arg)):
			return n, nil
		case !ok && badID == nil:
			return 0, ErrSyntax
		case !ok:
			return 0, badID
		}
		(*to)[uint64(id)] = true
		n++
	}
	return n, nil
}

// clientFilterWords are the filters, and whether NOT- may stand before them.
var clientFilterWords = map[string]bool{"id": true, "type": true, "user": true, "addr": true, "laddr": true, "ip": true, "name": true, "flags": true,
	"lib-name": true, "lib-ver": true, "db": true, "capa": true, "skipme": false, "maxage": false, "idle": false}

func isClientFilter(arg []byte) bool {
	name, not := strings.CutPrefix(strings.ToLower(string(arg)), "not-")
	negates, is := clientFilterWords[name]
	return is && (negates || !not)
}

// one reads a filter of one value. It returns nil where the filter is kept elsewhere.
func (f *clientFilter) one(name string, not bool, arg []byte) (func(*Client) bool, error) {
	value := string(arg)
	if negates, is := clientFilterWords[name]; !is || not && !negates {
		return nil, ErrSyntax
	}
	switch name {
	case "type":
		kind, err := clientType(arg)
		return func(cl *Client) bool { return cl.kind() == kind }, err
	case "user":
		user := f.call.Env.ACL.users.Find(value)
		if user == nil {
			return nil, errorf("ERR No such user '%s'", value)
		}
		return func(cl *Client) bool { return cl.user.Load() == user }, nil
	case "addr":
		return func(cl *Client) bool { return cl.Addr == value }, nil
	case "laddr":
		return func(cl *Client) bool { return cl.LocalAddr == value }, nil
	case "ip":
		return func(cl *Client) bool { return hostOf(cl.Addr) == value }, nil
	case "maxage":
		n, err := aboveZero(name, value)
		return func(cl *Client) bool { return (f.now-cl.Created)/1000 >= n }, err
	case "idle":
		n, err := aboveZero(name, value)
		return f.info(func(i *clientInfo) bool { return (f.now-i.lastActive)/1000 >= n }), err
	case "skipme":
		switch strings.ToLower(value) {
		case "yes":
			f.skipMe = true
		case "no":
			f.skipMe = false
		default:
			return nil, ErrSyntax
		}
		return nil, nil
	case "db":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return nil, Error("ERR DB is not an integer or out of range")
		}
		return func(*Client) bool { return n == 0 }, nil
	}
	return f.byInfo(name, value)
}

// byInfo is for filters of what a client has told of itself.
func (f *clientFilter) byInfo(name, value string) (func(*Client) bool, error) {
	switch name {
	case "name":
		return f.info(func(i *clientInfo) bool { return i.name == value }), nil
	case "lib-name":
		return f.info(func(i *clientInfo) bool { return i.libName == value }), nil
	case "lib-ver":
		return f.info(func(i *clientInfo) bool { return i.libVersion == value }), nil
	case "capa":
		if strings.Trim(value, "r") != "" {
			return nil, errorf("ERR Unknown capa found in the provided filter: %s", value)
		}
		return f.info(func(i *clientInfo) bool { return value == "" || i.capa == "r" }), nil
	}
	if strings.Trim(value, knownFlags) != "" {
		return nil, errorf("ERR Unknown flags found in the provided filter: %s", value)
	}
	return func(cl *Client) bool {
		letters, _ := f.call.Env.Tracking.shown(cl)
		cl.mu.Lock()
		flags := cl.flags(letters)
		cl.mu.Unlock()
		for _, letter := range value {
			if !strings.ContainsRune(flags, letter) {
				return false
			}
		}
		return true
	}, nil
}

// knownFlags are the letters of the field "flags".
const knownFlags = "AbBcdeiIMNOPrRStTuUx"

// info is a filter by what is guarded by a client's lock.
func (f *clientFilter) info(keep func(i *clientInfo) bool) func(*Client) bool {
	return func(cl *Client) bool {
		cl.mu.Lock()
		defer cl.mu.Unlock()
		return keep(&cl.info)
	}
}

// hostOf is an address without its port.
func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// aboveZero reads a number of seconds.
func aboveZero(name, value string) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, Error("ERR " + name + " is not an integer or out of range")
	}
	if n < 1 {
		return 0, Error("ERR " + name + " should be greater than 0")
	}
	return n, nil
}

// clientType reads a TYPE argument: what kind returns for clients of the type. Nodes of a cluster are not clients here.
func clientType(arg []byte) (string, error) {
	switch word := strings.ToLower(string(arg)); word {
	case "normal", "pubsub", "replica", "master":
		return word, nil
	case "slave":
		return "replica", nil
	case "primary":
		return "master", nil
	}
	return "", errorf("ERR Unknown client type '%s'", arg)
}

// clientCapa is CLIENT CAPA of Valkey 8: what the client can do. It can follow a
// redirection to another primary; nodes of a cluster redirect by MOVED anyway.
func clientCapa(c *Call) error {
	for _, arg := range c.Args[2:] {
		if fold(arg, "redirect") {
			c.Client.mu.Lock()
			c.Client.info.capa = "r"
			c.Client.mu.Unlock()
		}
	}
	c.Out.OK()
	return nil
}
