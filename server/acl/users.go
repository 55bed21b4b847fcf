package acl

import (
	"slices"
	"sync"
	"sync/atomic"
)

// DefaultName is the user of connections that have not said who they are.
const DefaultName = "default"

// User is a name and its rules of the moment. Sessions keep the User that they
// authenticated as. A user that was deleted keeps his name and may do nothing.
type User struct {
	name  string
	rules atomic.Pointer[Rules]
}

// Name returns the user's name.
func (u *User) Name() string { return u.name }

// Rules returns the user's rules of the moment, from any goroutine.
func (u *User) Rules() *Rules { return u.rules.Load() }

// Users are all users. The default user is always there. Its methods may be called
// from any goroutine.
type Users struct {
	mu   sync.RWMutex
	all  map[string]*User
	main *User // the default user, for ever the same
}

// NewUsers returns the default user, who may do everything.
func NewUsers(g Grammar) *Users {
	u := &Users{all: map[string]*User{}, main: &User{name: DefaultName}}
	u.main.rules.Store(g.Open())
	u.all[DefaultName] = u.main
	return u
}

// Default returns the default user.
func (u *Users) Default() *User { return u.main }

// Find returns a user, nil if there is none of that name.
func (u *Users) Find(name string) *User {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.all[name]
}

// All returns the users in order of their names.
func (u *Users) All() []*User {
	u.mu.RLock()
	defer u.mu.RUnlock()
	all := make([]*User, 0, len(u.all))
	for _, user := range u.all {
		all = append(all, user)
	}
	slices.SortFunc(all, byName)
	return all
}

func byName(a, b *User) int {
	switch {
	case a.name < b.name:
		return -1
	case a.name > b.name:
		return 1
	}
	return 0
}

// Login calls accept with the user if he is on and the password is his, and reports
// whether that was so. Whoever deletes the user afterwards finds what accept did.
func (u *Users) Login(name string, password []byte, accept func(*User)) bool {
	u.mu.RLock()
	defer u.mu.RUnlock()
	user := u.all[name]
	if user == nil {
		return false
	}
	if rules := user.Rules(); !rules.on || !rules.Proves(password) {
		return false
	}
	accept(user)
	return true
}

// Change is a user whose rules were replaced.
type Change struct {
	User     *User
	Old, New *Rules
}

// Edit replaces the rules of a user, who is made if he is not there, by what edit
// makes of them. Edits are done one at a time.
func (u *Users) Edit(g Grammar, name string, edit func(*Rules) (*Rules, error)) (Change, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	user := u.all[name]
	old := g.New()
	if user != nil {
		old = user.Rules()
	}
	rules, err := edit(old)
	if err != nil {
		return Change{}, err
	}
	if user == nil {
		user = &User{name: name}
		u.all[name] = user
	}
	user.rules.Store(rules)
	return Change{user, old, rules}, nil
}

// Delete removes users and returns those that were there; not the default user.
func (u *Users) Delete(names ...string) (gone []*User) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, name := range names {
		if user := u.all[name]; user != nil && user != u.main {
			u.remove(user)
			gone = append(gone, user)
		}
	}
	return gone
}

// remove deletes a user; mu is held.
func (u *Users) remove(user *User) {
	delete(u.all, user.name)
	nobody := *user.Rules()
	nobody.on, nobody.everything, nobody.more = false, false, nil
	nobody.root = selector{commands: make(bits, len(nobody.root.commands))}
	user.rules.Store(&nobody)
}

// Replace makes the users of a file all there are: others are deleted, and returned
// as gone. Users that stay keep their identity, with new rules.
func (u *Users) Replace(g Grammar, users []Definition) (gone []*User, changed []Change) {
	u.mu.Lock()
	defer u.mu.Unlock()
	wanted := map[string]*Rules{DefaultName: g.Open()}
	for _, d := range users {
		wanted[d.Name] = d.Rules
	}
	for name, user := range u.all {
		if wanted[name] == nil {
			u.remove(user)
			gone = append(gone, user)
		}
	}
	for name, rules := range wanted {
		user := u.all[name]
		if user == nil {
			user = &User{name: name}
			u.all[name] = user
		} else {
			changed = append(changed, Change{user, user.Rules(), rules})
		}
		user.rules.Store(rules)
	}
	return gone, changed
}
