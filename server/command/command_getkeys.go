package command

import (
	"slices"
	"strconv"
	"strings"

	"cobble/storage"
)

// COMMAND GETKEYS tells clients where Redis would look for keys, in malformed commands too, so it follows Redis's two
// ways step by step: the key specifications, and where these fail or their flags depend on the arguments, a search that
// is written for the command (getKeysFromCommandWithSpecs in Redis's db.c). What a command is really run on is found by
// AppendKeys, which is strict.

// foundKey is the position of a key, and what the command does with it.
type foundKey struct {
	at    int
	flags KeyFlags
}

// keySearches are the searches written for a command, by its name.
var keySearches = map[string]func(args [][]byte) []foundKey{
	"set": searchSet, "bitfield": searchBitfield, "sort": searchSort, "sort_ro": searchSortRO, "migrate": searchMigrate,
	"eval": searchCounted(0, 2), "evalsha": searchCounted(0, 2), "eval_ro": searchCounted(0, 2), "evalsha_ro": searchCounted(0, 2),
	"fcall": searchCounted(0, 2), "fcall_ro": searchCounted(0, 2), "blmpop": searchCounted(0, 2), "bzmpop": searchCounted(0, 2),
	"lmpop": searchCounted(0, 1), "zmpop": searchCounted(0, 1), "sintercard": searchCounted(0, 1), "zintercard": searchCounted(0, 1),
	"zunion": searchCounted(0, 1), "zinter": searchCounted(0, 1), "zdiff": searchCounted(0, 1),
	"zunionstore": searchCounted(1, 2), "zinterstore": searchCounted(1, 2), "zdiffstore": searchCounted(1, 2),
}

// hasKeys reports whether the command has keys that are not channels.
func (c *Command) hasKeys() bool {
	return keySearches[c.FullName()] != nil || slices.ContainsFunc(c.Keys, func(s KeySpec) bool { return s.Flags&KeyNotKey == 0 })
}

func (c *Command) redisKeys(args [][]byte) []foundKey {
	variable := slices.ContainsFunc(c.Keys, func(s KeySpec) bool { return s.Flags&KeyVariableFlags != 0 })
	if !variable {
		if found, ok := c.specifiedKeys(args); ok {
			return found
		}
	}
	if search := keySearches[c.FullName()]; search != nil {
		return search(args)
	}
	return nil
}

// specifiedKeys follows the key specifications; it fails where one of them does not fit the arguments.
func (c *Command) specifiedKeys(args [][]byte) ([]foundKey, bool) {
	var found []foundKey
	for i := range c.Keys {
		s := &c.Keys[i]
		if s.Flags&KeyNotKey != 0 {
			continue
		}
		if s.Keyword != "" && s.find(args) == 0 {
			continue
		}
		first, last, ok := s.span(args)
		if !ok || last >= len(args) || last < first {
			return nil, false
		}
		for at := first; at <= last; at += max(s.Step, 1) {
			found = append(found, foundKey{at, s.Flags})
		}
		if s.Flags&KeyIncomplete != 0 {
			return nil, false
		}
	}
	return found, true
}

// span is where the first and the last key of a specification are, which may be beyond the arguments.
func (s *KeySpec) span(args [][]byte) (first, last int, ok bool) {
	first = s.Index
	if s.Search != nil {
		return 0, 0, false
	}
	if s.Keyword != "" {
		first = s.find(args)
	}
	switch {
	case s.KeyNum >= 0:
		if first+s.KeyNum >= len(args) {
			return 0, 0, false
		}
		n, ok := storage.ParseInt(args[first+s.KeyNum])
		if !ok || n < 0 {
			return 0, 0, false
		}
		first += s.FirstKey
		return first, first + (int(int32(n))-1)*max(s.Step, 1), true // of a longer number Redis takes the lower half
	case s.Last >= 0:
		return first, first + s.Last, true
	case s.Limit > 0:
		return first, first + (len(args)-first)/s.Limit + s.Last, true
	}
	return first, len(args) + s.Last, true
}

// searchCounted is for a count at an argument with the keys behind it, and perhaps a key to store at.
func searchCounted(store, count int) func([][]byte) []foundKey {
	return func(args [][]byte) []foundKey {
		if count >= len(args) {
			return nil
		}
		n := leadingInt(args[count])
		if n < 1 || n > len(args)-count-1 {
			return nil
		}
		var found []foundKey
		for i := range n {
			found = append(found, foundKey{at: count + 1 + i})
		}
		if store > 0 {
			found = append(found, foundKey{at: store})
		}
		return found
	}
}

// leadingInt reads a number as C's atoi does: what follows its digits does not matter.
func leadingInt(text []byte) int {
	s := strings.TrimLeft(string(text), " \t\n\v\f\r")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil && end < 12 {
		return 0
	}
	return int(int32(n)) // of longer ones the lower half is left
}

func searchSet(args [][]byte) []foundKey { return []foundKey{{1, setFlags(args)}} }

// setFlags are the flags of SET's key.
func setFlags(args [][]byte) KeyFlags {
	for _, arg := range args[min(3, len(args)):] {
		if equalFold(arg, "get") {
			return KeyRW | KeyAccess | KeyUpdate
		}
	}
	return KeyOW | KeyUpdate
}

func searchBitfield(args [][]byte) []foundKey { return []foundKey{{1, bitfieldFlags(args)}} }

// bitfieldFlags are the flags of BITFIELD's key.
func bitfieldFlags(args [][]byte) KeyFlags {
	for i := 2; i < len(args); i++ {
		left := len(args) - i - 1
		switch {
		case equalFold(args[i], "get") && left >= 2:
			i += 2
		case equalFold(args[i], "overflow") && left >= 1:
			i++
		default: // it writes, or is no good
			return KeyRW | KeyAccess | KeyUpdate
		}
	}
	return KeyRO | KeyAccess
}

func searchSort(args [][]byte) []foundKey {
	found := searchSortRO(args)
	for i := 2; i < len(args); i++ {
		switch {
		case equalFold(args[i], "limit"):
			i += 2
		case equalFold(args[i], "get"), equalFold(args[i], "by"):
			i++
		case equalFold(args[i], "store") && i+1 < len(args):
			found = append(found[:1], foundKey{i + 1, KeyOW | KeyUpdate}) // the last STORE counts
		}
	}
	return found
}

func searchSortRO([][]byte) []foundKey { return []foundKey{{1, KeyRO | KeyAccess}} }

func searchMigrate(args [][]byte) []foundKey {
	const flags = KeyRW | KeyAccess | KeyDelete
	for i := 6; i+1 < len(args); i++ {
		switch {
		case equalFold(args[i], "keys"):
			if len(args[3]) > 0 {
				return nil
			}
			var found []foundKey
			for at := i + 1; at < len(args); at++ {
				found = append(found, foundKey{at, flags})
			}
			return found
		case equalFold(args[i], "auth"):
			i++
		case equalFold(args[i], "auth2"):
			i += 2
		}
	}
	return []foundKey{{3, flags}}
}

// target resolves the command that COMMAND GETKEYS asks about, and its keys.
func (c *Call) target() ([]foundKey, error) {
	args := c.Args[2:]
	cmd := c.Env.Table.named(args)
	if cmd == nil {
		return nil, Error("ERR Invalid command specified")
	}
	if !cmd.hasKeys() {
		return nil, Error("ERR The command has no key arguments")
	}
	if n := len(args); n != cmd.Arity && (cmd.Arity >= 0 || n < -cmd.Arity) {
		return nil, Error("ERR Invalid number of arguments specified for command")
	}
	keys := cmd.redisKeys(args)
	if len(keys) == 0 && cmd.Flags&NoMandatoryKeys == 0 {
		return nil, Error("ERR Invalid arguments specified for command")
	}
	return keys, nil
}

func commandGetKeys(c *Call) error {
	keys, err := c.target()
	if err != nil {
		return err
	}
	c.Out.Array(len(keys))
	for _, key := range keys {
		c.Out.Bulk(c.Args[2+key.at])
	}
	return nil
}

func commandGetKeysAndFlags(c *Call) error {
	keys, err := c.target()
	if err != nil {
		return err
	}
	c.Out.Array(len(keys))
	for _, key := range keys {
		c.Out.Array(2)
		c.Out.Bulk(c.Args[2+key.at])
		c.statusSet(key.flags.names())
	}
	return nil
}
