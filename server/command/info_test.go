package command

import (
	"regexp"
	"strings"
	"testing"
)

// INFO of redis-server has no field that ours lacks, section by section.
func TestInfoHasRedisFields(t *testing.T) {
	p := newPair(t, 2)
	for _, c := range []string{"SET k v", "GET k", "GET none", "NOSUCH", "CONFIG GET port"} {
		p.ours(strings.Fields(c)...)
		p.theirs.do(strings.Fields(c)...)
	}
	absent := regexp.MustCompile(`^(aof_|active_|lazyfree|io_threads_active|current_|module_)`)
	ours, theirs := fields(p.ours("INFO", "everything")), fields(p.theirs.do("INFO", "everything"))
	for name := range theirs {
		if _, ok := ours[name]; !ok && !absent.MatchString(name[strings.IndexByte(name, '/')+1:]) {
			t.Errorf("INFO lacks %s", name)
		}
	}
	for name, want := range map[string]string{
		"Server/redis_version": "7.2.4", "Stats/keyspace_hits": "1", "Stats/keyspace_misses": "1", "Stats/total_error_replies": "1",
		"Errorstats/errorstat_ERR": "count=1", "Keyspace/db0": "keys=1,expires=0,avg_ttl=0,subexpiry=0", "Replication/role": "master",
	} {
		if ours[name] != want {
			t.Errorf("%s is %q, want %q", name, ours[name], want)
		}
	}
	if got := ours["Commandstats/cmdstat_get"]; !strings.HasPrefix(got, "calls=2,usec=") || !strings.HasSuffix(got, ",rejected_calls=0,failed_calls=0") {
		t.Errorf("cmdstat_get:%s", got)
	}
	for _, section := range []string{"server", "clients", "memory", "persistence", "stats", "replication", "cpu", "commandstats", "errorstats", "latencystats", "cluster", "keyspace"} {
		if got := p.ours("INFO", section); strings.Count(got, "# ") != 1 {
			t.Errorf("INFO %s: %.100q", section, got)
		}
	}
	if got := p.ours("INFO", "nosuch"); got != "$0\r\n\r\n" {
		t.Errorf("INFO nosuch: %q", got)
	}
	if got := p.ours("INFO", "server", "keyspace"); strings.Count(got, "# ") != 2 {
		t.Errorf("INFO of two sections: %.100q", got)
	}
}

// fields maps Section/name to the value.
func fields(info string) map[string]string {
	found, section := map[string]string{}, ""
	for _, line := range strings.Split(info, "\r\n") {
		if name, is := strings.CutPrefix(line, "# "); is {
			section = name
		} else if name, value, ok := strings.Cut(line, ":"); ok && section != "" {
			found[section+"/"+name] = value
		}
	}
	return found
}
