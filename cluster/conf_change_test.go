package cluster

import (
	"bytes"
	"strings"
	"testing"
)

// Changes applied one after the other lead through the same states, whatever
// was added, removed or changed.
func TestConfChanges(t *testing.T) {
	random := NewRandom(7)
	state, read := &NodesConf{}, &NodesConf{}
	sample := sampleConf()
	for range 300 {
		next := *sample
		next.CurrentEpoch = random.Uint64()
		next.Records = nil
		for _, r := range sample.Records {
			changed := *r
			changed.Counter = random.Uint64()
			switch random.Below(3) {
			case 0:
				next.Records = append(next.Records, &changed)
			case 1:
				if old := recordOf(state, r.ID); old != nil {
					next.Records = append(next.Records, old)
				}
			}
		}
		if recordOf(&next, next.Self) == nil {
			continue
		}
		if random.Below(2) == 0 {
			next.Migrating, next.Bans, next.Failed, next.Electors = nil, nil, nil, nil
		}
		change := next.ChangeSince(state)
		got, err := read.Apply(change)
		if err != nil {
			t.Fatal(err)
		}
		got.Generation = next.Generation
		if !bytes.Equal(EncodeNodesConf(got), EncodeNodesConf(&next)) {
			t.Fatalf("the changes lead to\n%s\ninstead of\n%s", EncodeNodesConf(got), EncodeNodesConf(&next))
		}
		state, read = &next, got
	}
	if len(state.Records) == 0 {
		t.Fatal("nothing was tried")
	}
	if same := state.ChangeSince(state); len(same.Records)+len(same.Gone) != 0 {
		t.Errorf("a change from a state to itself: %+v", same)
	}
}

func recordOf(c *NodesConf, id ID) *Record {
	for _, r := range c.Records {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func TestConfChangeThatMakesNoSense(t *testing.T) {
	conf := sampleConf()
	if _, err := conf.Apply(&ConfChange{Self: conf.Self, Gone: []ID{conf.Self}}); err == nil {
		t.Error("a node may not lose its own record")
	}
	r := conf.Records[0]
	if _, err := conf.Apply(&ConfChange{Self: conf.Self, Records: []*Record{r, r}}); err == nil {
		t.Error("a node may not stand there twice")
	}
}

// A file of format 1, as written before there was a journal, is read.
func TestNodesConfFormat1(t *testing.T) {
	text := string(EncodeNodesConf(sampleConf()))
	text = strings.Replace(text, "x-format 2\nx-generation 6\n", "x-format 1\n", 1)
	conf, err := DecodeNodesConf([]byte(text))
	if err != nil || conf.Generation != 0 || len(conf.Records) != 3 {
		t.Fatalf("%+v %v", conf, err)
	}
}
