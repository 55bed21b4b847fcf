package acl

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"

	"cobble/server/words"
)

// Grammar is what rules are read by.
type Grammar struct {
	Catalog     *Catalog
	AllChannels bool // acl-pubsub-default: a new user may use all channels

	mutant mutants
}

// mutants are rules that tests switch off one at a time to prove that they would
// notice.
type mutants struct {
	anyAccess    bool // a pattern allows every access
	splitAccess  bool // two patterns may allow a part of the access each
	globPatterns bool // a pattern to subscribe to need not be named literally
	mixed        bool // a selector's commands go with another's keys and channels
	keepFirst    bool // -command leaves what +command|arg allowed
	keepAll      bool // after +@all nothing can be forbidden
	keepSubs     bool // -command leaves its subcommands
	oneSelector  bool // only the first selector counts
}

// Rules are what a user may do, and how he proves who he is. They are immutable.
type Rules struct {
	on, noPass, skipSanitize bool
	passwords                [][sha256.Size]byte
	root                     selector
	more                     []selector
	everything               bool // every command, key and channel
}

// Problem is what is wrong with a rule, in Redis's words.
type Problem string

func (p Problem) Error() string { return string(p) }

// What can be wrong with a rule.
const (
	ErrUnknown  Problem = "Unknown command or category name in ACL"
	ErrSyntax   Problem = "Syntax error"
	ErrNested   Problem = "Allowing first-arg of a subcommand is not supported"
	ErrHash     Problem = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
	ErrNoSuch   Problem = "The password you are trying to remove from the user does not exist"
	ErrTwice    Problem = "Duplicate user found. A user can only be defined once in config files"
	ErrAllKeys  Problem = "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"
	errUnclosed Problem = "Unmatched parenthesis in acl selector"

	ErrAllChannels Problem = "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels"
)

// RuleError is a rule that was not accepted.
type RuleError struct {
	Rule    string
	Problem Problem
}

func (e *RuleError) Error() string {
	rule := words.C(e.Rule)
	if e.Problem == errUnclosed {
		return "Unmatched parenthesis in acl selector starting at '" + rule + "'."
	}
	return "Error in ACL SETUSER modifier '" + rule + "': " + string(e.Problem)
}

// New returns the rules of a user of whom nothing is said: he is off and may do nothing.
func (g Grammar) New() *Rules { return &Rules{root: g.newSelector()} }

// Open returns the rules of the default user of whom nothing is said: he needs no
// password and may do everything.
func (g Grammar) Open() *Rules {
	r, err := g.Apply(g.New(), "+@all", "~*", "&*", "on", "nopass")
	if err != nil {
		panic(err)
	}
	return r
}

// Apply returns the rules with changes applied in order, or a *RuleError. The rules
// of a selector may be spread over several changes: "(~x", "+get)".
func (g Grammar) Apply(r *Rules, changes ...string) (*Rules, error) {
	merged, unclosed := merge(changes)
	if unclosed >= 0 {
		return nil, &RuleError{changes[unclosed], errUnclosed}
	}
	n := r.clone()
	for _, change := range merged {
		if err := g.apply(n, change); err != nil {
			return nil, &RuleError{change, err.(Problem)}
		}
	}
	n.seal()
	return n, nil
}

func (r *Rules) clone() *Rules {
	n := *r
	n.passwords, n.root, n.more = slices.Clone(r.passwords), r.root.clone(), make([]selector, len(r.more))
	for i := range r.more {
		n.more[i] = r.more[i].clone()
	}
	return &n
}

// seal computes what depends on all rules.
func (r *Rules) seal() {
	r.everything = r.root.allCommands && r.root.allKeys && r.root.allChannels
	for i := range r.more {
		s := &r.more[i]
		r.everything = r.everything || s.allCommands && s.allKeys && s.allChannels
	}
}

// merge joins the words of selectors. unclosed is the index of the word that opens
// one without an end, -1 if there is none.
func merge(in []string) (out []string, unclosed int) {
	open := -1
	for i, word := range in {
		switch {
		case open >= 0:
			out[len(out)-1] += " " + word
			if strings.HasSuffix(word, ")") {
				open = -1
			}
		case strings.HasPrefix(word, "(") && !strings.HasSuffix(word, ")"):
			open = i
			fallthrough
		default:
			out = append(out, word)
		}
	}
	return out, open
}

// apply changes r, which nobody else has yet, by one rule.
func (g Grammar) apply(r *Rules, rule string) error {
	switch strings.ToLower(rule) {
	case "":
		return nil
	case "on":
		r.on = true
		return nil
	case "off":
		r.on = false
		return nil
	case "nopass":
		r.noPass, r.passwords = true, nil
		return nil
	case "resetpass":
		r.noPass, r.passwords = false, nil
		return nil
	case "skip-sanitize-payload":
		r.skipSanitize = true
		return nil
	case "sanitize-payload":
		r.skipSanitize = false
		return nil
	case "clearselectors":
		r.more = nil
		return nil
	case "reset":
		*r = *g.New()
		return nil
	}
	switch rule[0] {
	case '>', '#', '<', '!':
		return r.changePassword(rule)
	case '(':
		if rule[len(rule)-1] == ')' {
			return g.addSelector(r, rule[1:len(rule)-1])
		}
	}
	return r.root.apply(g.Catalog, rule)
}

// changePassword adds (>text, #hash) or removes (<text, !hash) a password.
func (r *Rules) changePassword(rule string) error {
	var hash [sha256.Size]byte
	if rule[0] == '>' || rule[0] == '<' {
		hash = sha256.Sum256([]byte(rule[1:]))
	} else {
		if len(rule) != 1+2*len(hash) || rule != strings.ToLower(rule) {
			return ErrHash
		}
		if _, err := hex.Decode(hash[:], []byte(rule[1:])); err != nil {
			return ErrHash
		}
	}
	at := slices.Index(r.passwords, hash)
	if rule[0] == '>' || rule[0] == '#' {
		if at < 0 {
			r.passwords = append(r.passwords, hash)
		}
		r.noPass = false
		return nil
	}
	if at < 0 {
		return ErrNoSuch
	}
	r.passwords = slices.Delete(r.passwords, at, at+1)
	return nil
}

// addSelector reads what stands between parentheses. Quotes that are not closed make
// a selector that allows nothing, as in Redis.
func (g Grammar) addSelector(r *Rules, text string) error {
	s := g.newSelector()
	parts, ok := words.Split(text)
	if !ok {
		parts = nil
	}
	for _, rule := range parts {
		if rule == "" {
			return ErrSyntax
		}
		if err := s.apply(g.Catalog, rule); err != nil {
			return err
		}
	}
	r.more = append(r.more, s)
	return nil
}

// On reports whether one can authenticate as the user.
func (r *Rules) On() bool { return r.on }

// NoPass reports whether any password will do.
func (r *Rules) NoPass() bool { return r.noPass }

// Everything reports whether the user may run every command on every key and channel.
func (r *Rules) Everything() bool { return r.everything }

// Proves reports whether the password is one of the user's. How long that takes says
// nothing of the passwords.
func (r *Rules) Proves(password []byte) bool {
	given, right := sha256.Sum256(password), 0
	for i := range r.passwords {
		right |= subtle.ConstantTimeCompare(r.passwords[i][:], given[:])
	}
	return r.noPass || right == 1
}

// Flags returns what ACL GETUSER calls the flags.
func (r *Rules) Flags() []string {
	flags := []string{"off"}
	if r.on {
		flags[0] = "on"
	}
	if r.noPass {
		flags = append(flags, "nopass")
	}
	if r.skipSanitize {
		return append(flags, "skip-sanitize-payload")
	}
	return append(flags, "sanitize-payload")
}

// Passwords returns the hashes of the passwords in hexadecimal digits.
func (r *Rules) Passwords() []string {
	var all []string
	for i := range r.passwords {
		all = append(all, hex.EncodeToString(r.passwords[i][:]))
	}
	return all
}

// Permissions are what one selector allows, printed as rules.
type Permissions struct{ Commands, Keys, Channels string }

// Selectors returns the permissions: the user's own first, then those of the selectors.
func (r *Rules) Selectors() []Permissions {
	all := []Permissions{r.root.permissions()}
	for i := range r.more {
		all = append(all, r.more[i].permissions())
	}
	return all
}

// Words prints the rules: applied to a new user they make the same. The rules of a
// selector are words of their own, "(~x" "+get)".
func (r *Rules) Words() []string {
	all := r.Flags()
	for _, hash := range r.Passwords() {
		all = append(all, "#"+hash)
	}
	all = append(all, r.root.words()...)
	for i := range r.more {
		words := r.more[i].words()
		words[0] = "(" + words[0]
		words[len(words)-1] += ")"
		all = append(all, words...)
	}
	return all
}

// String prints the rules as ACL LIST does.
func (r *Rules) String() string { return strings.Join(r.Words(), " ") }
