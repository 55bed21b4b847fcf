package acl

import (
	"bytes"

	"cobble/server/glob"
)

// Denial is why a request is refused. A greater one says more: Redis reports, of
// what the selectors say, the greatest.
type Denial uint8

// The denials.
const (
	Allowed Denial = iota
	DeniedCommand
	DeniedKey
	DeniedAuth // of the log: a wrong password
	DeniedChannel
)

// Key is a key among the arguments of a request, and what the command does to it.
type Key struct {
	At     int // index in Args
	Access Access
}

// Request is a command that somebody wants to run.
type Request struct {
	Command  int  // its index in the Catalog
	Free     bool // it needs no permission, like AUTH; its keys and channels do
	Args     [][]byte
	Keys     []Key
	Channels []int // indexes in Args
	Patterns bool  // the channels are patterns: a rule has to name them literally
}

// Check decides about a request. at is the index in Args of the key or channel that
// is refused, 0 for none.
func (r *Rules) Check(q *Request) (why Denial, at int) {
	if r.everything {
		return Allowed, 0
	}
	why, at = r.root.check(q)
	for i := range r.more {
		if why == Allowed || r.root.mutant.oneSelector {
			break
		}
		if w, a := r.more[i].check(q); w == Allowed || w > why || w == why && a > at {
			why, at = w, a
		}
	}
	if why == Allowed {
		at = 0
	}
	return why, at
}

func (s *selector) check(q *Request) (Denial, int) {
	if !s.mutant.mixed && !s.allCommands && !q.Free && !s.commands.has(q.Command) && !s.allowsFirst(q) {
		return DeniedCommand, 0
	}
	if !s.allKeys {
		for _, k := range q.Keys {
			if !s.reaches(q.Args[k.At], k.Access) {
				return DeniedKey, k.At
			}
		}
	}
	if !s.allChannels {
		for _, at := range q.Channels {
			if !s.hears(q.Args[at], q.Patterns) {
				return DeniedChannel, at
			}
		}
	}
	return Allowed, 0
}

// allowsFirst reports whether the command is allowed with the first argument that it has.
func (s *selector) allowsFirst(q *Request) bool {
	if len(q.Args) < 2 {
		return false
	}
	for _, arg := range s.firstArgs[q.Command] {
		if bytes.EqualFold(q.Args[1], []byte(arg)) {
			return true
		}
	}
	return false
}

// reaches reports whether one pattern allows all the access to the key: two that
// allow a part of it each do not.
func (s *selector) reaches(key []byte, access Access) bool {
	for i := range s.keys {
		if !matches(s.keys[i].pattern, key) {
			continue
		}
		if s.keys[i].access&access == access || s.mutant.anyAccess {
			return true
		}
		if s.mutant.splitAccess {
			access &^= s.keys[i].access
		}
	}
	return false
}

func (s *selector) hears(channel []byte, pattern bool) bool {
	for _, rule := range s.channels {
		if pattern && bytes.Equal(rule, channel) || (!pattern || s.mutant.globPatterns) && matches(rule, channel) {
			return true
		}
	}
	return false
}

// matches is Redis's glob matching; as in Redis nothing but an empty pattern matches the empty name.
func matches(pattern, name []byte) bool {
	if len(name) == 0 {
		return len(pattern) == 0
	}
	return glob.Match(pattern, name)
}

// Unrestricted reports whether the request is allowed by a selector that allows the
// access to all keys: what SORT asks for keys that it makes up.
func (r *Rules) Unrestricted(q *Request, access Access) bool {
	if r.everything || r.root.unrestricted(q, access) {
		return true
	}
	for i := range r.more {
		if r.more[i].unrestricted(q, access) {
			return true
		}
	}
	return false
}

func (s *selector) unrestricted(q *Request, access Access) bool {
	if why, _ := s.check(q); why != Allowed {
		return false
	}
	for i := range s.keys {
		if string(s.keys[i].pattern) == "*" && s.keys[i].access&access == access {
			return true
		}
	}
	return s.allKeys
}

// MayListen reports whether a subscription is allowed by the channels of any selector.
func (r *Rules) MayListen(topic []byte, pattern bool) bool {
	for i := -1; i < len(r.more); i++ {
		if s := r.selector(i); s.allChannels || s.hears(topic, pattern) {
			return true
		}
	}
	return false
}

// selector returns the root for -1, else the selector of that index.
func (r *Rules) selector(i int) *selector {
	if i < 0 {
		return &r.root
	}
	return &r.more[i]
}

// LosesChannels reports whether new rules lack a channel rule of the old: then
// subscriptions have to be looked at again.
func (r *Rules) LosesChannels(new *Rules) bool {
	kept := map[string]bool{}
	for i := -1; i < len(new.more); i++ {
		s := new.selector(i)
		if s.allChannels {
			return false
		}
		for _, c := range s.channels {
			kept[string(c)] = true
		}
	}
	for i := -1; i < len(r.more); i++ {
		s := r.selector(i)
		if s.allChannels {
			return true
		}
		for _, c := range s.channels {
			if !kept[string(c)] {
				return true
			}
		}
	}
	return false
}
