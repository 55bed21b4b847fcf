package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, args ...string) *Config {
	t.Helper()
	c := New()
	if err := c.Load(args, strings.NewReader("")); err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cobble.conf")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileThenStdinThenArguments(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"a1.conf": "hz 20", "a2.conf": "hz 30\ntimeout 7"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := write(t, "# a comment\n\n  PORT 7001\r\nmaxmemory 64mb\nmaxmemory-clients 5%\nrequirepass \"a b\\x41\"\nmasterauth 'it\\'s'\n"+
		"bind 127.0.0.1 -::1\nsave 60 1\nsave 300 10\nclient-output-buffer-limit replica 1mb 512kb 7\n"+
		"slave-priority 5\ninclude "+dir+"/a*.conf\ninclude "+dir+"/none*\nuser default on >pw ~* +@all\nrename-command GET G\nrdbcompression no\n")
	c := New()
	err := c.Load([]string{path, "--port", "7003", "--save", "--appendfsync", "always", "--dir", dir, "-"}, strings.NewReader("port 7002\ntcp-keepalive 11\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"port": "7003", "maxmemory": "67108864", "maxmemory-clients": "5%", "requirepass": "a bA", "masterauth": "it's",
		"bind": "127.0.0.1 -::1", "save": "", "hz": "30", "timeout": "7", "tcp-keepalive": "11", "appendfsync": "always",
		"client-output-buffer-limit": "normal 0 0 0 slave 1048576 524288 7 pubsub 33554432 8388608 60",
		"slave-priority":             "5", "replica-priority": "5", "dir": dir,
	} {
		if got := c.Text(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if users := c.Repeated("user"); len(users) != 1 || users[0][0] != "default" {
		t.Errorf("users: %q", users)
	}
	if w := c.Warnings(); len(w) != 1 || !strings.Contains(w[0], "rdbcompression") {
		t.Errorf("warnings: %q", w)
	}
	if c.Path("dbfilename") != filepath.Join(dir, "dump.rdb") || c.Path("logfile") != "" {
		t.Errorf("paths: %q %q", c.Path("dbfilename"), c.Path("logfile"))
	}
	if got := c.BufferLimits()[ClassReplica]; got != (BufferLimit{1 << 20, 512 << 10, 7}) {
		t.Errorf("replica limit: %v", got)
	}
	if c.Bytes("maxmemory-clients", 1000) != 50 || c.Bytes("maxmemory", 1000) != 64<<20 {
		t.Error("Bytes")
	}
}

// The texts were printed by redis-server 7.0.15, version apart.
func TestFileErrors(t *testing.T) {
	for directive, reason := range map[string]string{
		"port abc":                               "argument couldn't be parsed into an integer",
		"port 070":                               "argument couldn't be parsed into an integer",
		"foo bar":                                "Bad directive or wrong number of arguments",
		"port 1 2":                               "wrong number of arguments",
		"maxclients":                             "wrong number of arguments",
		"save 1":                                 "Invalid save parameters",
		"save 0 1":                               "Invalid save parameters",
		"user bob refused":                       "not him",
		"user":                                   "Bad directive or wrong number of arguments",
		"rename-command GET":                     "Bad directive or wrong number of arguments",
		"client-output-buffer-limit":             "wrong number of arguments",
		"client-output-buffer-limit normal 1":    "Wrong number of arguments in buffer limit configuration.",
		`dir "abc`:                               "Unbalanced quotes in configuration line",
		`dir "abc"d`:                             "Unbalanced quotes in configuration line",
		"appendfsync xx":                         "argument(s) must be one of the following: everysec, always, no",
		"databases 0":                            "argument must be between 1 and 2147483647 inclusive",
		"slaveof a":                              "wrong number of arguments",
		"dir /nonexistent":                       "No such file or directory",
		"bind a b c d e f g h i j k l m n o p q": "Too many bind addresses specified.",
	} {
		c := New()
		c.CheckLines("user", func(words []string) error { return Refusal("not him") })
		err := c.Load([]string{write(t, "# c\nport 17998\n"+directive+"\n")}, nil)
		want := "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\nReading the configuration file, at line 3\n>>> '" + directive + "'\n" + reason
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n%v\nwant\n%s", directive, err, want)
		}
	}
	err := New().Load([]string{"--cluster-enabled", "yes", "--replicaof", "127.0.0.1", "1"}, nil)
	if err == nil || err.Error() != "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\nreplicaof directive not allowed in cluster mode" {
		t.Errorf("replicaof in cluster mode: %v", err)
	}
	err = New().Load([]string{"--port", "1799x", "--dir"}, nil)
	if err == nil || !strings.Contains(err.Error(), "at line 2\n>>> 'port \"1799x\"'\nargument couldn't") {
		t.Errorf("arguments: %v", err)
	}
	var open *OpenError
	if err := New().Load([]string{"/nonexistent.conf"}, nil); !errors.As(err, &open) ||
		err.Error() != "Fatal error, can't open config file '/nonexistent.conf': No such file or directory" {
		t.Errorf("missing file: %v", err)
	}
	loop := filepath.Join(t.TempDir(), "loop.conf")
	if err := os.WriteFile(loop, []byte("include "+loop), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := New().Load([]string{loop}, nil); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("a file that includes itself: %v", err)
	}
}

// The texts were printed by redis-server 7.0.15.
func TestSetErrors(t *testing.T) {
	failed := "CONFIG SET failed (possibly related to argument '"
	for _, try := range []struct{ name, value, want string }{
		{"maxclients", "abc", failed + "maxclients') - argument couldn't be parsed into an integer"},
		{"maxclients", "0", failed + "maxclients') - argument must be between 1 and 4294967295 inclusive"},
		{"maxmemory", "5x", failed + "maxmemory') - argument must be a memory value"},
		{"maxmemory", "1.5gb", failed + "maxmemory') - argument must be a memory value"},
		{"appendonly", "maybe", failed + "appendonly') - argument must be 'yes' or 'no'"},
		{"unknown-x", "1", "Unknown option or number of arguments for CONFIG SET - 'unknown-x'"},
		{"databases", "3", failed + "databases') - can't set immutable config"},
		{"dir", "/", failed + "dir') - can't set protected config"},
		{"save", "abc", failed + "save') - Invalid save parameters"},
		{"client-output-buffer-limit", "foo", failed + "client-output-buffer-limit') - Wrong number of arguments in buffer limit configuration."},
		{"client-output-buffer-limit", "foo 1 2 3", failed + "client-output-buffer-limit') - Invalid client class specified in buffer limit configuration."},
		{"client-output-buffer-limit", "normal x y z", failed + "client-output-buffer-limit') - Error in hard, soft or soft_seconds setting in buffer limit configuration."},
		{"shutdown-on-sigint", "foo", failed + "shutdown-on-sigint') - argument(s) must be one of the following: default, save, nosave, now, force"},
		{"maxmemory-clients", "5%x", failed + "maxmemory-clients') - argument must be a memory or percent value"},
		{"maxmemory-clients", "200%", failed + "maxmemory-clients') - percentage argument must be less or equal to 100"},
		{"latency-tracking-info-percentiles", "101", failed + "latency-tracking-info-percentiles') - latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"},
		{"notify-keyspace-events", "Q", failed + "notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'."},
		{"slave-priority", "-1", failed + "slave-priority') - argument must be between 0 and 2147483647 inclusive"},
		{"client-query-buffer-limit", "1", failed + "client-query-buffer-limit') - argument must be between 1048576 and 9223372036854775807 inclusive"},
		{"cluster-announce-hostname", "a_b!", failed + "cluster-announce-hostname') - Hostnames may only contain alphanumeric characters, hyphens or dots"},
	} {
		err := New().Set([]Pair{{try.name, try.value}}, false)
		if err == nil || err.Error() != try.want {
			t.Errorf("%s %q: %v, want %s", try.name, try.value, err, try.want)
		}
	}
	err := New().Set([]Pair{{"maxclients", "2"}, {"MAXCLIENTS", "3"}}, false)
	if err == nil || err.Error() != failed+"MAXCLIENTS') - duplicate parameter" {
		t.Errorf("twice: %v", err)
	}
}

func TestSetIsAllOrNothing(t *testing.T) {
	c := New()
	var seen []int64
	c.Watch("timeout", func(v Value) error { seen = append(seen, v.Int); return nil })
	c.Watch("hz", func(v Value) error {
		if v.Int == 13 {
			return errors.New("unlucky")
		}
		return nil
	})
	if err := c.Set([]Pair{{"timeout", "5"}, {"tcp-keepalive", "x"}}, false); err == nil || c.Int("timeout") != 0 || seen != nil {
		t.Errorf("a bad value let others in: %v, %d, %v", err, c.Int("timeout"), seen)
	}
	err := c.Set([]Pair{{"timeout", "5"}, {"hz", "13"}}, false)
	if err == nil || err.Error() != "CONFIG SET failed (possibly related to argument 'hz') - unlucky" || c.Int("timeout") != 0 || c.Int("hz") != 10 {
		t.Errorf("a refused value let others in: %v, %d", err, c.Int("timeout"))
	}
	if len(seen) != 2 || seen[0] != 5 || seen[1] != 0 {
		t.Errorf("the watcher saw %v, want 5 and back to 0", seen)
	}
	if err := c.Set([]Pair{{"TIMEOUT", "6"}, {"hz", "100000"}, {"dir", "/"}}, true); err != nil || c.Int("timeout") != 6 || c.Int("hz") != 500 || c.Text("dir") != "/" {
		t.Errorf("%v, %d, %d", err, c.Int("timeout"), c.Int("hz"))
	}
}

func TestPrintedForms(t *testing.T) {
	c := New()
	for _, try := range []struct{ name, value, want string }{
		{"notify-keyspace-events", "KEA", "AKE"}, {"notify-keyspace-events", "gxE", "gxE"}, {"notify-keyspace-events", "nmEKd", "dKEmn"},
		{"shutdown-on-sigterm", "now force", "now force"}, {"shutdown-on-sigterm", "default force", "force"}, {"shutdown-on-sigterm", "default", "default"},
		{"maxmemory", "", "0"}, {"maxmemory", "b", "0"}, {"maxmemory", "007", "7"}, {"maxmemory", "2GB", "2147483648"}, {"maxmemory", "2k", "2000"},
		{"client-output-buffer-limit", "", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"},
		{"client-output-buffer-limit", "normal 1k 2 3", "normal 1000 2 3 slave 268435456 67108864 60 pubsub 33554432 8388608 60"},
		{"appendfsync", "ALWAYS", "always"}, {"latency-tracking-info-percentiles", "50.0 99.90", "50 99.9"}, {"save", "", ""}, {"save", "5 6 7 8", "5 6 7 8"},
	} {
		if err := c.Set([]Pair{{try.name, try.value}}, false); err != nil || c.Text(try.name) != try.want {
			t.Errorf("%s %q: %v, %q, want %q", try.name, try.value, err, c.Text(try.name), try.want)
		}
	}
}

func TestGetHidesHidden(t *testing.T) {
	c := New()
	all := c.Get([]string{"*", "p*"}, func(string, string) bool { return true })
	names := map[string]bool{}
	for _, p := range all {
		names[p.Name] = true
	}
	if !names["slave-priority"] || !names["replica-priority"] || names["watchdog-period"] {
		t.Error("CONFIG GET *: aliases belong in, hidden settings do not")
	}
	if len(names) != len(all) {
		t.Error("a setting stands in the reply twice")
	}
	one := c.Get([]string{"Watchdog-Period", "nosuch"}, nil)
	if len(one) != 1 || one[0].Name != "Watchdog-Period" {
		t.Errorf("by its name a hidden setting is shown: %v", one)
	}
}
