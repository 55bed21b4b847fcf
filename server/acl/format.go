package acl

import (
	"fmt"
	"strings"
)

// The text of an ACL file (aclfile), Redis's:
//
//	file  = { line "\n" }
//	line  = "" | "user" " " name { " " word }
//	word  = rule | part of a selector "(rule rule …)"
//
// Words are separated by single blanks, nothing is quoted and there are no comments;
// blanks and tabs around a line do not count. There is no version: the file is the
// operator's, and as Redis writes it. Passwords stand in it as SHA-256 in hexadecimal
// digits (#…) or, by hand, as text (>…).

// Definition is a user in a file.
type Definition struct {
	Name  string
	Rules *Rules
}

// Parse reads a file; path is its name in messages. The error says all that is wrong
// with it, as Redis does; then no user of it should be used.
func (g Grammar) Parse(path, content string) ([]Definition, error) {
	var users []Definition
	var wrong strings.Builder
	seen := map[string]bool{}
	for i, line := range strings.Split(content, "\n") {
		if line = strings.Trim(line, " \t\r\n"); line == "" {
			continue
		}
		at := fmt.Sprintf("%s:%d", path, i+1)
		words := strings.Split(line, " ")
		switch {
		case words[0] != "user" || len(words) < 2:
			fmt.Fprintf(&wrong, "%s should start with user keyword followed by the username. ", at)
		case hasSpaces(words[1]):
			fmt.Fprintf(&wrong, "'%s: username '%s' contains invalid characters. ", at, words[1])
		case seen[words[1]]:
			fmt.Fprintf(&wrong, "WARNING: Duplicate user '%s' found on line %d. ", words[1], i+1)
		default:
			seen[words[1]] = true
			users = append(users, Definition{words[1], g.parseRules(&wrong, at, words[2:])})
		}
	}
	if wrong.Len() > 0 {
		return nil, Problem(wrong.String() + "WARNING: ACL errors detected, no change to the previously active ACL rules was performed")
	}
	return users, nil
}

// parseRules reads the rules of a line. Every unknown command is reported, and of
// other errors the first, which may be the cause of the next.
func (g Grammar) parseRules(wrong *strings.Builder, at string, words []string) *Rules {
	merged, unclosed := merge(words)
	if unclosed >= 0 {
		fmt.Fprintf(wrong, "%s: Unmatched parenthesis in selector definition.", at)
		return nil
	}
	rules, said := g.New(), false
	for _, rule := range merged {
		rule = strings.Trim(rule, "\t\r\n")
		switch err := g.apply(rules, rule); {
		case err == nil:
		case err == ErrUnknown:
			fmt.Fprintf(wrong, "%s: Error in applying operation '%s': %v. ", at, rule, err)
		case !said:
			fmt.Fprintf(wrong, "%s: %v. ", at, err)
			said = true
		}
	}
	rules.seal()
	return rules
}

// Print writes users as a file. It refuses names and patterns that would be read
// back as something else: a parenthesis at the end of a pattern in a selector.
func (g Grammar) Print(users []*User) (string, error) {
	var b strings.Builder
	for _, u := range users {
		rules := u.Rules()
		line := "user " + u.name + " " + rules.String()
		back, err := g.Parse("", line)
		if err != nil || len(back) != 1 || back[0].Name != u.name || back[0].Rules.String() != rules.String() {
			return "", fmt.Errorf("the rules of user '%s' cannot be written to a file: %s", u.name, line)
		}
		b.WriteString(line + "\n")
	}
	return b.String(), nil
}

// Declarations are users in a config file, "user name rule …", checked one by one.
type Declarations struct {
	grammar Grammar
	users   []Definition
}

// NewDeclarations begins with none.
func NewDeclarations(g Grammar) *Declarations { return &Declarations{grammar: g} }

// Add takes the words behind "user": a name and rules.
func (d *Declarations) Add(words []string) error {
	name := words[0]
	if hasSpaces(name) {
		return Problem("Spaces not allowed in ACL usernames")
	}
	for _, u := range d.users {
		if u.Name == name {
			return Problem("Error in user declaration '" + name + "': " + string(ErrTwice))
		}
	}
	rules, err := d.grammar.Apply(d.grammar.New(), words[1:]...)
	if wrong, ok := err.(*RuleError); ok {
		return Problem("Error in user declaration '" + wrong.Rule + "': " + string(wrong.Problem))
	}
	d.users = append(d.users, Definition{name, rules})
	return nil
}

// Users returns what was declared.
func (d *Declarations) Users() []Definition { return d.users }
