package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// What ends a user, or what he listens to, closes his connections, and no others.
func TestUsersEnd(t *testing.T) {
	n := start(t, "--user", "u", "on", "nopass", "+@all", "~*", "&*", "--user", "v", "on", ">pw", "+get", "~*")
	admin, login := n.dial(), func(user string) *client {
		c := n.dial()
		c.want("AUTH "+user+" pw", "+OK\r\n")
		return c
	}
	u, listener, blocked, v := login("u"), login("u"), login("u"), login("v")
	v.want("SET k x", "-NOPERM User v has no permissions to run the 'set' command\r\n")
	v.want("GET k", "$-1\r\n")
	listener.do("SUBSCRIBE news")
	if list := admin.do("CLIENT LIST"); strings.Count(list, " user=u ") != 3 || strings.Count(list, " user=v ") != 1 || strings.Count(list, " user=default ") != 1 {
		t.Errorf("CLIENT LIST: %s", list)
	}
	admin.want("ACL SETUSER u resetchannels &weather", "+OK\r\n")
	if _, is := listener.closed(); !is {
		t.Error("who listens to what he may not hear any more is still there")
	}
	u.want("PING", "+PONG\r\n")
	u.want("PUBLISH news x", "-NOPERM No permissions to access a channel\r\n")
	blocked.send("BLPOP q 0\r\n")
	n.waiting(admin, 1)
	admin.want("ACL DELUSER u nobody", ":1\r\n")
	for name, c := range map[string]*client{"idle": u, "blocked": blocked} {
		if _, is := c.closed(); !is {
			t.Errorf("the %s client of a user who is gone is still there", name)
		}
	}
	v.want("GET k", "$-1\r\n")
	admin.want("CLIENT KILL USER v", ":1\r\n")
	if _, is := v.closed(); !is {
		t.Error("CLIENT KILL USER left the client")
	}
	n.dial().want("AUTH u pw", "-WRONGPASS invalid username-password pair or user is disabled.\r\n")
	self := login("v")
	self.want("ACL DELUSER v", "-NOPERM User v has no permissions to run the 'acl|deluser' command\r\n")
	admin.want("ACL SETUSER v +acl", "+OK\r\n")
	self.want("ACL DELUSER v", ":1\r\n")
	if _, is := self.closed(); !is {
		t.Error("who deleted himself is still there")
	}
}

// Users of a config file, rewritten, and read again.
func TestUsersSurviveRewrite(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "c.conf")
	text := "memory-budget 64mb\nbind 127.0.0.1\nport " + freePort(t) + "\ndir " + dir + "\nrequirepass first\nuser alice on >x +get +select|1 ~x (~a +set) &a\nuser bob +@all\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	list := ""
	for round := range 2 {
		c := settings(t)
		if err := c.Load([]string{conf}, nil); err != nil {
			t.Fatal(err)
		}
		s, err := Start(c, newLogger(&lines{}))
		if err != nil {
			t.Fatal(err)
		}
		s.Serve()
		admin := (&running{t: t, addr: "127.0.0.1:" + c.Text("port")}).dial()
		admin.want("PING", "-NOAUTH Authentication required.\r\n")
		if round == 0 {
			admin.want("AUTH first", "+OK\r\n")
			admin.want("ACL SETUSER dora nopass on +@all -@dangerous ~d* %R~e", "+OK\r\n")
			admin.want("ACL DELUSER bob", ":1\r\n")
			admin.want("CONFIG SET requirepass second", "+OK\r\n")
			admin.want("CONFIG REWRITE", "+OK\r\n")
			list = admin.do("ACL LIST")
		} else {
			admin.want("AUTH first", "-WRONGPASS invalid username-password pair or user is disabled.\r\n")
			admin.want("AUTH second", "+OK\r\n")
			if got := admin.do("ACL LIST"); got != list {
				t.Errorf("after a restart:\n%s\nbefore:\n%s", got, list)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(conf); !strings.Contains(string(got), "\nrequirepass second\nuser alice on sanitize-payload #2d71") || strings.Count(string(got), "\nuser ") != 3 {
		t.Errorf("rewritten to\n%s", got)
	}
}

// A server whose users are not clear does not start.
func TestUsersThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "users.acl")
	if err := os.WriteFile(file, []byte("user a on foo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ lines, want string }{
		{"user a on\nuser a off\n", ">>> 'user a off'\nError in user declaration 'a': Duplicate user found. A user can only be defined once in config files"},
		{"user a on foo\n", ">>> 'user a on foo'\nError in user declaration 'foo': Syntax error"},
		{"user a on +nope\n", "Error in user declaration '+nope': Unknown command or category name in ACL"},
		{"user a on (+get\n", "Error in user declaration '(+get': Unmatched parenthesis in acl selector"},
		{"user \"a b\" on\n", "Spaces not allowed in ACL usernames"},
		{"user a on\naclfile users.acl\n", "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid."},
		{"aclfile users.acl\n", "Aborting Redis startup because of ACL errors: users.acl:1: Syntax error. WARNING: ACL errors detected, no change to the previously active ACL rules was performed"},
		{"aclfile none.acl\n", "Aborting Redis startup because of ACL errors: Error loading ACLs, opening file 'none.acl': No such file or directory"},
	} {
		conf := filepath.Join(dir, "c.conf")
		if err := os.WriteFile(conf, []byte("port "+freePort(t)+"\nbind 127.0.0.1\nmemory-budget 64mb\ndir "+dir+"\n"+c.lines), 0o600); err != nil {
			t.Fatal(err)
		}
		p := spawn(t, conf)
		if err := p.Wait(); err == nil || p.ProcessState.ExitCode() != 1 || !strings.Contains(p.out.String(), c.want) {
			t.Errorf("%q: %v\n%s\nwant %s", c.lines, err, p.out, c.want)
		}
	}
}

// Clients as they come: redis-cli with a user, and go-redis with one.
func TestClientsWithUsers(t *testing.T) {
	n := start(t, "--user", "default", "off", "--user", "app", "on", ">s3cret", "+@all", "-@dangerous", "~app:*", "&*")
	_, port, _ := strings.Cut(n.addr, ":")
	out, err := exec.Command("redis-cli", "-p", port, "--user", "app", "--pass", "s3cret", "--no-auth-warning", "SET", "app:k", "v").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "OK" {
		t.Errorf("redis-cli: %v %s", err, out)
	}
	out, _ = exec.Command("redis-cli", "-p", port, "--user", "app", "--pass", "wrong", "--no-auth-warning", "GET", "app:k").CombinedOutput()
	if !strings.Contains(string(out), "WRONGPASS") || !strings.Contains(string(out), "NOAUTH") {
		t.Errorf("redis-cli with a wrong password: %s", out)
	}
	ctx := t.Context()
	for _, proto := range []int{2, 3} {
		db := redis.NewClient(&redis.Options{Addr: n.addr, Username: "app", Password: "s3cret", Protocol: proto})
		defer db.Close()
		if v, err := db.Get(ctx, "app:k").Result(); v != "v" || err != nil {
			t.Errorf("GET: %q %v", v, err)
		}
		if err := db.Get(ctx, "k").Err(); err == nil || err.Error() != "NOPERM No permissions to access a key" {
			t.Errorf("GET of another's key: %v", err)
		}
		if _, err := db.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, "app:k", "w", 0)
			p.Set(ctx, "k", "w", 0)
			return nil
		}); err == nil || !strings.HasPrefix(err.Error(), "EXECABORT") {
			t.Errorf("a transaction with another's key: %v", err)
		}
		if v, err := db.Get(ctx, "app:k").Result(); v != "v" || err != nil {
			t.Errorf("after the transaction that was refused: %q %v", v, err)
		}
	}
	wrong := redis.NewClient(&redis.Options{Addr: n.addr, Username: "app", Password: "no"})
	defer wrong.Close()
	if err := wrong.Get(ctx, "app:k").Err(); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("go-redis with a wrong password: %v", err)
	}
}

// A command that was held back is refused if its user lost it meanwhile.
func TestPausedCommandIsCheckedAgain(t *testing.T) {
	n := start(t, "--user", "u", "on", "nopass", "+@all", "~*", "&*")
	admin, u, v := n.dial(), n.dial(), n.dial()
	u.want("AUTH u x", "+OK\r\n")
	v.want("AUTH u x", "+OK\r\n")
	v.want("MULTI", "+OK\r\n")
	v.want("SET k v", "+QUEUED\r\n")
	admin.want("CLIENT PAUSE 60000 WRITE", "+OK\r\n")
	u.send("SET k v\r\n")
	v.send("EXEC\r\n")
	n.waiting(admin, 2)
	admin.want("ACL SETUSER u -set", "+OK\r\n")
	admin.want("CLIENT UNPAUSE", "+OK\r\n")
	if got := u.reply(); got != "-NOPERM User u has no permissions to run the 'set' command\r\n" {
		t.Errorf("%q", got)
	}
	if got := v.reply(); !strings.HasPrefix(got, "*1\r\n-NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call.") {
		t.Errorf("%q", got)
	}
	admin.want("EXISTS k", ":0\r\n")
	if a, b := admin.do("ACL GENPASS"), admin.do("ACL GENPASS"); a == b || len(a) != len("$64\r\n\r\n")+64 {
		t.Errorf("ACL GENPASS: %q, %q", a, b)
	}
}
