package main

import (
	"bytes"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestSubcommands(t *testing.T) {
	var got []string
	was := commands["server"]
	defer func() { commands["server"] = was }()
	commands["server"] = func(args []string, _, _ io.Writer) int {
		got = append([]string{"server"}, args...)
		return 7
	}
	for _, c := range []struct {
		argv     []string
		code     int
		server   []string // what the server was started with, when it was
		out      string   // a part of stdout
		complain string   // a part of stderr
	}{
		{argv: []string{"cobble"}, code: 2, complain: "Usage"},
		{argv: []string{"cobble", "version"}, code: 0, out: "cobble " + version},
		{argv: []string{"cobble", "--version"}, code: 0, out: "cobble " + version},
		{argv: []string{"cobble", "help"}, code: 0, out: "Usage"},
		{argv: []string{"cobble", "help", "server"}, code: 7, server: []string{"server", "--help"}},
		{argv: []string{"cobble", "nonsense"}, code: 2, complain: `"nonsense"`},
		{argv: []string{"cobble", "--check-config", "a.conf"}, code: 7, server: []string{"server", "--check-config", "a.conf"}},
		{argv: []string{"cobble", "server", "--port", "1"}, code: 7, server: []string{"server", "--port", "1"}},
		{argv: []string{"/usr/bin/redis-server", "version"}, code: 7, server: []string{"server", "version"}},
		{argv: []string{"./cobble-server", "a.conf"}, code: 7, server: []string{"server", "a.conf"}},
	} {
		got = nil
		var out, complain bytes.Buffer
		code := run(c.argv, &out, &complain)
		if code != c.code || !reflect.DeepEqual(got, c.server) {
			t.Errorf("%q: code %d, server started with %q; want %d, %q", c.argv, code, got, c.code, c.server)
		}
		if !strings.Contains(out.String(), c.out) || !strings.Contains(complain.String(), c.complain) {
			t.Errorf("%q: stdout %q, stderr %q", c.argv, out.String(), complain.String())
		}
	}
}
