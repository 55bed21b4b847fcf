package command

import (
	"strings"
	"testing"
)

// HELLO tells of a zone that there is, INFO of none, too (Valkey 8.1).
func TestAvailabilityZone(t *testing.T) {
	_, do := newRunner(t)
	if hello, info := do("HELLO"), do("INFO", "server"); strings.Contains(hello, "zone") || !strings.Contains(info, "\r\navailability_zone:\r\n") {
		t.Errorf("%q %q", hello, info)
	}
	do("CONFIG", "SET", "availability-zone", "zone-a")
	for hello, want := range map[string]string{"2": "*16\r\n", "3": "%8\r\n"} {
		got := do("HELLO", hello)
		if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "$17\r\navailability_zone\r\n$6\r\nzone-a\r\n") {
			t.Errorf("HELLO %s: %q", hello, got)
		}
	}
	if info := do("INFO", "server"); !strings.Contains(info, "\r\navailability_zone:zone-a\r\n") {
		t.Errorf("%q", info)
	}
}
