package command

import (
	"errors"
	"os"
	"strings"

	"cobble/server/acl"
	"cobble/server/config"
)

// CheckUsers has the config complain about a user line where it stands.
func CheckUsers(settings *config.Config) {
	declared := acl.NewDeclarations(acl.Grammar{Catalog: NewTable().catalog()})
	settings.CheckLines("user", declared.Add)
}

// LoadUsers makes the users of the config file or of the ACL file. It comes before
// the first client. The error is a sentence that ends the start.
func (e *Env) LoadUsers() error {
	lines, file := e.Config.Repeated("user"), e.Config.Text("aclfile")
	switch {
	case len(lines) > 0 && file != "":
		return acl.Problem("Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. " +
			"This setup is very likely to lead to configuration errors and security holes, please define either an ACL file or declare users directly in your redis.conf, but not both.")
	case file != "":
		if _, _, err := e.loadACLFile(); err != nil {
			return errors.New("Aborting Redis startup because of ACL errors: " + err.Error())
		}
		if e.Config.Text("requirepass") != "" && e.ACL.DefaultNeedsNoPassword() {
			e.Process.Log("requirepass has no effect: the ACL file " + file + " has no password for the default user")
		}
		return nil
	}
	g := e.ACL.grammar()
	declared := acl.NewDeclarations(g)
	for _, line := range lines {
		if err := declared.Add(line); err != nil {
			return &config.FileError{Text: "user " + strings.Join(line, " "), Reason: err.Error()}
		}
	}
	for _, u := range declared.Users() {
		if _, err := e.ACL.users.Edit(g, u.Name, func(*acl.Rules) (*acl.Rules, error) { return u.Rules, nil }); err != nil {
			return err
		}
		if !u.Rules.On() {
			e.Process.Log("The user '" + u.Name + "' is disabled (there is no 'on' modifier in the user description). Make sure this is not a configuration error.")
		}
	}
	return nil
}

// loadACLFile replaces all users by those of the file, or none.
func (e *Env) loadACLFile() (gone []*acl.User, changed []acl.Change, err error) {
	name := e.Config.Text("aclfile")
	content, err := os.ReadFile(e.Config.Path("aclfile"))
	if err != nil {
		return nil, nil, errors.New("Error loading ACLs, opening file '" + name + "': " + config.PlainReason(err))
	}
	g := e.ACL.grammar()
	users, err := g.Parse(name, string(content))
	if err != nil {
		return nil, nil, err
	}
	gone, changed = e.ACL.users.Replace(g, users)
	return gone, changed, nil
}

// saveACLFile writes the users. A crash leaves the old file or the new.
func (e *Env) saveACLFile() error {
	content, err := e.ACL.grammar().Print(e.ACL.users.All())
	if err != nil {
		return err
	}
	return config.ReplaceFile(e.Config.Path("aclfile"), content)
}

// userLines are what CONFIG REWRITE writes of the users: nothing if they have a file
// of their own. What would be read back as something else is refused.
func (e *Env) userLines() ([][]string, error) {
	if e.Config.Text("aclfile") != "" {
		return nil, nil
	}
	var lines [][]string
	g := e.ACL.grammar()
	for _, u := range e.ACL.users.All() {
		parts := append([]string{u.Name()}, u.Rules().Words()...)
		if back, err := g.Apply(g.New(), parts[1:]...); err != nil || back.String() != u.Rules().String() {
			return nil, errors.New("the rules of user '" + u.Name() + "' cannot be written to a file")
		}
		lines = append(lines, parts)
	}
	return lines, nil
}
