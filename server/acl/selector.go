package acl

import (
	"slices"
	"strings"
)

// Access is what a command does to a key.
type Access uint8

// The kinds of access; a key may be subject to both, or to none: then only its
// name is used.
const (
	Read Access = 1 << iota
	Write
)

// selector is one set of permissions: a command is allowed if one selector of its
// user allows the command, all its keys and all its channels.
type selector struct {
	allCommands bool // whatever the bits say
	allKeys     bool
	allChannels bool
	future      bool // +@all was said since the last -@all: what prints as the base
	commands    bits
	firstArgs   map[int][]string // by command: what its first argument may be, lower case, where the bit says no
	rules       []string         // about commands, "+get", since the last of +@all and -@all
	keys        []keyPattern
	channels    [][]byte

	mutant mutants
}

type keyPattern struct {
	access  Access
	pattern []byte
}

func (g Grammar) newSelector() selector {
	return selector{commands: g.Catalog.none(), allChannels: g.AllChannels, mutant: g.mutant}
}

func (s *selector) clone() selector {
	c := *s
	c.commands = slices.Clone(s.commands)
	c.rules, c.keys, c.channels = slices.Clone(s.rules), slices.Clone(s.keys), slices.Clone(s.channels)
	if s.firstArgs != nil {
		c.firstArgs = make(map[int][]string, len(s.firstArgs))
		for command, args := range s.firstArgs {
			c.firstArgs[command] = slices.Clone(args)
		}
	}
	return c
}

// apply changes the selector by one rule.
func (s *selector) apply(catalog *Catalog, rule string) error {
	switch strings.ToLower(rule) {
	case "allkeys", "~*":
		s.allKeys, s.keys = true, nil
		return nil
	case "resetkeys":
		s.allKeys, s.keys = false, nil
		return nil
	case "allchannels", "&*":
		s.allChannels, s.channels = true, nil
		return nil
	case "resetchannels":
		s.allChannels, s.channels = false, nil
		return nil
	case "allcommands", "+@all":
		s.everyCommand(true)
		return nil
	case "nocommands", "-@all":
		s.everyCommand(false)
		return nil
	}
	switch rule[0] {
	case '~', '%':
		return s.addKeys(rule)
	case '&':
		return s.addChannels(rule[1:])
	case '+', '-':
		return s.applyCommand(catalog, rule)
	}
	return ErrSyntax
}

func (s *selector) everyCommand(allow bool) {
	s.commands.setAll(allow)
	s.allCommands, s.future = allow, allow
	s.rules, s.firstArgs = nil, nil
}

// addKeys is ~pattern or %RW~pattern.
func (s *selector) addKeys(rule string) error {
	if s.allKeys {
		return ErrAllKeys
	}
	access, pattern := Read|Write, rule[1:]
	if rule[0] == '%' {
		var ok bool
		if access, pattern, ok = readAccess(rule[1:]); !ok {
			return ErrSyntax
		}
	}
	if hasSpaces(pattern) {
		return ErrSyntax
	}
	for i := range s.keys {
		if string(s.keys[i].pattern) == pattern {
			s.keys[i].access |= access
			return nil
		}
	}
	s.keys = append(s.keys, keyPattern{access, []byte(pattern)})
	return nil
}

// readAccess reads "RW~pattern". Letters that nothing follows are taken for an empty pattern.
func readAccess(text string) (access Access, pattern string, ok bool) {
	for i := range len(text) {
		switch b := text[i]; {
		case (b == 'R' || b == 'r') && access&Read == 0:
			access |= Read
		case (b == 'W' || b == 'w') && access&Write == 0:
			access |= Write
		case b == '~' && access != 0:
			return access, text[i+1:], true
		default:
			return 0, "", false
		}
	}
	return access, "", access != 0
}

func (s *selector) addChannels(pattern string) error {
	switch {
	case s.allChannels:
		return ErrAllChannels
	case hasSpaces(pattern):
		return ErrSyntax
	case !slices.ContainsFunc(s.channels, func(c []byte) bool { return string(c) == pattern }):
		s.channels = append(s.channels, []byte(pattern))
	}
	return nil
}

// applyCommand is a rule about commands: + or -, then a command, a subcommand or a category.
func (s *selector) applyCommand(catalog *Catalog, rule string) error {
	allow, name := rule[0] == '+', strings.ToLower(rule[1:])
	if category, is := strings.CutPrefix(name, "@"); is {
		commands, ok := catalog.byCategory[category]
		if !ok {
			return ErrUnknown
		}
		for _, i := range commands {
			s.allow(catalog, i, allow)
		}
		s.remember(name, allow)
		return nil
	}
	if i, ok := catalog.find(name); ok {
		s.allow(catalog, i, allow)
		s.remember(name, allow)
		return nil
	}
	bar := strings.LastIndexByte(name, '|')
	if bar < 0 || !allow {
		return ErrUnknown
	}
	i, ok := catalog.find(name[:bar])
	switch {
	case !ok:
		return ErrUnknown
	case catalog.commands[i].Container >= 0:
		return ErrNested
	case bar == len(name)-1:
		return ErrSyntax
	case len(catalog.subs[i]) > 0:
		return ErrUnknown
	}
	if s.firstArgs == nil {
		s.firstArgs = map[int][]string{}
	}
	if arg := name[bar+1:]; !slices.Contains(s.firstArgs[i], arg) {
		s.firstArgs[i] = append(s.firstArgs[i], arg)
	}
	s.remember(name, true)
	return nil
}

// allow allows or forbids a command with all its subcommands.
func (s *selector) allow(catalog *Catalog, command int, allow bool) {
	s.commands.set(command, allow)
	for _, sub := range catalog.subs[command] {
		s.commands.set(sub, allow || s.mutant.keepSubs)
	}
	if !s.mutant.keepFirst {
		delete(s.firstArgs, command)
	}
	s.allCommands = s.allCommands && (allow || s.mutant.keepAll)
}

// remember notes a rule to be printed, instead of those that it makes void: the same
// name, and the subcommands of it.
func (s *selector) remember(name string, allow bool) {
	s.rules = slices.DeleteFunc(s.rules, func(old string) bool {
		rest, is := strings.CutPrefix(old[1:], name)
		return is && (rest == "" || rest[0] == '|')
	})
	sign := "-"
	if allow {
		sign = "+"
	}
	s.rules = append(s.rules, sign+name)
}

// commandWords, keyWords and channelWords are rules that make a part of the selector,
// as ACL GETUSER prints them.
func (s *selector) commandWords() []string {
	base := "-@all"
	if s.future {
		base = "+@all"
	}
	return append([]string{base}, s.rules...)
}

func (s *selector) keyWords() []string {
	if s.allKeys {
		return []string{"~*"}
	}
	words := make([]string, len(s.keys))
	for i, k := range s.keys {
		words[i] = [...]string{Read: "%R~", Write: "%W~", Read | Write: "~"}[k.access] + string(k.pattern)
	}
	return words
}

func (s *selector) channelWords() []string {
	if s.allChannels {
		return []string{"&*"}
	}
	words := make([]string, len(s.channels))
	for i, c := range s.channels {
		words[i] = "&" + string(c)
	}
	return words
}

// words are rules that make the selector of a new one.
func (s *selector) words() []string {
	words := s.keyWords()
	if !s.allChannels {
		words = append(words, "resetchannels")
	}
	return append(append(words, s.channelWords()...), s.commandWords()...)
}

// permissions prints the selector as ACL GETUSER does.
func (s *selector) permissions() Permissions {
	return Permissions{strings.Join(s.commandWords(), " "), strings.Join(s.keyWords(), " "), strings.Join(s.channelWords(), " ")}
}

// hasSpaces reports whether a name or pattern could not be written to a file of rules.
func hasSpaces(s string) bool { return strings.ContainsAny(s, " \t\n\v\f\r\x00") }
