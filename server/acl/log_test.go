package acl

import (
	"fmt"
	"testing"
)

func TestLogGroups(t *testing.T) {
	var l Log
	l.SetMax(3)
	add := func(object string, at int64) {
		l.Add(Entry{Why: DeniedKey, Object: object, Username: "u", Client: fmt.Sprint("at ", at), Updated: at})
	}
	show := func() (text string) {
		for _, e := range l.List(100) {
			text += fmt.Sprintf("%s#%d×%d %d-%d %s; ", e.Object, e.ID, e.Count, e.Created, e.Updated, e.Client)
		}
		return text
	}
	want := func(text string) {
		t.Helper()
		if got := show(); got != text {
			t.Errorf("%s\nwant %s", got, text)
		}
	}
	add("a", 1000)
	add("b", 2000)
	add("a", 61_000)
	want("a#0×2 1000-61000 at 61000; b#1×1 2000-2000 at 2000; ")
	add("b", 62_001) // a minute is over
	want("b#2×1 62001-62001 at 62001; a#0×2 1000-61000 at 61000; b#1×1 2000-2000 at 2000; ")
	l.Add(Entry{Why: DeniedCommand, Object: "b", Username: "u", Updated: 62_001})
	l.Add(Entry{Why: DeniedKey, Object: "b", Username: "v", Updated: 62_001})
	l.Add(Entry{Why: DeniedKey, Object: "b", Username: "u", Context: InScript, Updated: 62_001})
	if all := l.List(100); len(all) != 3 || all[0].ID != 5 || all[2].ID != 3 {
		t.Errorf("others: %s", show())
	}
	if len(l.List(2)) != 2 || len(l.List(-1)) != 0 {
		t.Error("List")
	}
	l.SetMax(1)
	add("c", 62_001)
	if all := l.List(100); len(all) != 1 || all[0].ID != 6 {
		t.Errorf("SetMax: %s", show())
	}
	l.Reset()
	l.SetMax(100)
	want("")
	add("old", 70_000)
	for i := range 10 {
		add(fmt.Sprint(i), 70_000)
	}
	add("old", 70_000) // beyond the newest ten
	if all := l.List(1); all[0].ID != 18 || all[0].Count != 1 {
		t.Errorf("an entry far down was found: %s", show())
	}
}
