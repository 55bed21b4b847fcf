package acl

import (
	"strings"
	"testing"
)

const hashOfSecret = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

// What is written, byte for byte.
func TestFileIsRedis(t *testing.T) {
	users := NewUsers(testGrammar)
	for _, u := range [][]string{
		{"alice", "on", ">secret", "~a*", "%R~b", "%W~c", "&x", "+get", "-@slow", "+select|0", "(~d", "+set)", "(+@all ~* &*)"},
		{"bob"}, {"zed", "nopass", "skip-sanitize-payload", "allkeys", "allchannels", "+@all", "-config|set"},
	} {
		_, err := users.Edit(testGrammar, u[0], func(r *Rules) (*Rules, error) { return testGrammar.Apply(r, u[1:]...) })
		if err != nil {
			t.Fatal(err)
		}
	}
	const want = "user alice on sanitize-payload #" + hashOfSecret + " ~a* %R~b %W~c resetchannels &x -@all +get -@slow +select|0 (~d resetchannels -@all +set) (~* &* +@all)\n" +
		"user bob off sanitize-payload resetchannels -@all\n" +
		"user default on nopass sanitize-payload ~* &* +@all\n" +
		"user zed off nopass skip-sanitize-payload ~* &* +@all -config|set\n"
	got, err := testGrammar.Print(users.All())
	if err != nil || got != want {
		t.Fatalf("%v\n%s\nwant\n%s", err, got, want)
	}
	back, err := testGrammar.Parse("f", got)
	if err != nil {
		t.Fatal(err)
	}
	gone, changed := users.Replace(testGrammar, back)
	if again, err := testGrammar.Print(users.All()); err != nil || again != want || len(gone) != 0 || len(changed) != 4 {
		t.Errorf("read back: %v %d gone, %d changed\n%s", err, len(gone), len(changed), again)
	}
	gone, _ = users.Replace(testGrammar, back[1:2])
	if len(gone) != 2 || len(users.All()) != 2 || !users.Default().Rules().NoPass() {
		t.Errorf("%d gone, %d left", len(gone), len(users.All()))
	}
	for _, u := range gone {
		if u.Rules().On() || u.Rules().Everything() {
			t.Errorf("%s is gone, but %s", u.Name(), u.Rules())
		}
		if why, _ := u.Rules().Check(&Request{Command: 0, Args: [][]byte{nil}}); why != DeniedCommand {
			t.Errorf("%s is gone, but may do things", u.Name())
		}
	}
}

// Rules that would be read back as others are not written.
func TestWhatCannotBeWritten(t *testing.T) {
	for _, rule := range []string{`("~x)")`, `("~\"x" +get)`, `("~a'b" +get)`} {
		users := NewUsers(testGrammar)
		if _, err := users.Edit(testGrammar, "u", func(r *Rules) (*Rules, error) { return testGrammar.Apply(r, rule) }); err != nil {
			t.Fatal(err)
		}
		if text, err := testGrammar.Print(users.All()); err == nil {
			t.Errorf("%s was written as %s", rule, text)
		}
	}
}

// A password proves its user, in text or as its hash; nobody else.
func TestPasswords(t *testing.T) {
	users := NewUsers(testGrammar)
	set := func(changes ...string) {
		t.Helper()
		if _, err := users.Edit(testGrammar, "u", func(r *Rules) (*Rules, error) { return testGrammar.Apply(r, changes...) }); err != nil {
			t.Fatal(err)
		}
	}
	can := func(password string) bool {
		return users.Login("u", []byte(password), func(*User) {})
	}
	set(">one", "#"+hashOfSecret)
	if can("one") {
		t.Error("he is off")
	}
	set("on")
	if !can("one") || !can("secret") || can("two") || can("") || can(hashOfSecret) || users.Login("v", nil, nil) {
		t.Error("passwords")
	}
	set("<one")
	if can("one") || !can("secret") {
		t.Error("one was taken away")
	}
	set("nopass")
	if !can("anything") {
		t.Error("nopass")
	}
	set("resetpass")
	if can("anything") || can("secret") || can("") {
		t.Error("resetpass")
	}
}

// FuzzParse: no file makes the parser panic, and what is accepted is written so that
// it is read back as the same, or not written.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"user a on >x ~a* %R~b &c +@all -get +select|1 (~d +set)", "user a (", "user  on", "user a\nuser a", "user a ( )", "user a #" + hashOfSecret + " !" + hashOfSecret,
		"user a %", "user a %RW~x %r", "user a (+get) ()", "user a '(~x", "\t user b +config|get|x", "user c +@x -nosuch", "user d ~\xff\x01", "user default off nopass <x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		users, err := testGrammar.Parse("file", content)
		if err != nil {
			if users != nil {
				t.Fatal("users of a file that is wrong")
			}
			return
		}
		var all []*User
		for _, d := range users {
			u := &User{name: d.Name}
			u.rules.Store(d.Rules)
			all = append(all, u)
			d.Rules.Check(&Request{Command: 2, Args: [][]byte{nil, nil, []byte("k")}, Keys: []Key{{1, Read}, {2, Write}}, Channels: []int{2}})
		}
		text, err := testGrammar.Print(all)
		if err != nil {
			return
		}
		back, err := testGrammar.Parse("file", text)
		if err != nil || len(back) != len(users) {
			t.Fatalf("%q was written as %q: %v", content, text, err)
		}
		for i := range back {
			if back[i].Name != users[i].Name || back[i].Rules.String() != users[i].Rules.String() {
				t.Fatalf("%q was written as %q and read as %v", content, text, back[i].Rules)
			}
		}
	})
}

// FuzzRule: no rule makes Apply panic, an error changes nothing, and what is accepted
// prints as rules that make the same.
func FuzzRule(f *testing.F) {
	for _, seed := range []string{"on off ~a %R~b", "(~a +get) clearselectors", "+@all -config|get +select|0", ">p <p #x", "& &a allchannels", "+ - @ + ~ %", "reset )", "+get|x|y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		old := testGrammar.Open()
		before := old.String()
		r, err := testGrammar.Apply(old, strings.Split(text, " ")...)
		if old.String() != before {
			t.Fatalf("%q changed the old rules", text)
		}
		if err != nil || strings.Contains(text, "(") {
			return
		}
		back, err := testGrammar.Apply(testGrammar.New(), r.Words()...)
		if err != nil || back.String() != r.String() || back.Everything() != r.Everything() {
			t.Fatalf("%q made %s, which makes %v (%v)", text, r, back, err)
		}
	})
}
