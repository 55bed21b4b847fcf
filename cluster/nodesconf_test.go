package cluster

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"cobble/slots"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func testID(b byte) ID {
	var id ID
	for i := range id {
		id[i] = b
	}
	return id
}

func sampleConf() *NodesConf {
	var low slots.Set
	low.AddRange(slots.Range{First: 0, Last: 8191})
	low.Add(9000)
	high := slots.Full()
	high.Subtract(&low)
	a := &Record{ID: testID(0x11), Boot: 3, Counter: 9, Incarnation: 77, Addr: Addr{"10.0.0.1", 7000, 17000}, Hostname: "one.example",
		Cluster: testID(0xcc), Shard: testID(0xa1), Term: 4, ConfigEpoch: 12, Slots: &low, Offset: 1234}
	b := &Record{ID: testID(0x22), Boot: 1, Counter: 2, Incarnation: 78, Addr: Addr{"fe80::1", 7001, 17001},
		Flags: NoFailover, Cluster: testID(0xcc), Shard: testID(0xa1), Primary: a.ID, Term: 4}
	c := &Record{ID: testID(0x33), Boot: 2, Counter: 1, Incarnation: 79, Addr: Addr{"", 7002, 17002},
		Cluster: testID(0xcc), Shard: testID(0xa2), Term: 1, ConfigEpoch: 2, Slots: &high}
	return &NodesConf{
		Generation: 6, Self: a.ID, Boot: 3, CurrentEpoch: 12, Records: []*Record{a, b, c},
		Migrating: []OpenSlot{{5, c.ID}}, Importing: []OpenSlot{{8192, c.ID}},
		Electors: &Electors{Cluster: testID(0xcc), Ver: 2, Members: []Member{{a.ID, 77}, {b.ID, 78}, {c.ID, 79}}, Prev: []Member{{a.ID, 77}}},
		Bans:     []Ban{{testID(0x44), 1_700_000_000_000}},
		Failed:   []ID{c.ID},
	}
}

func TestNodesConfGolden(t *testing.T) {
	text := EncodeNodesConf(sampleConf())
	const file = "testdata/nodes.conf"
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, golden) {
		t.Fatalf("nodes.conf changed:\n%s", text)
	}
	back, err := DecodeNodesConf(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, sampleConf()) {
		t.Fatalf("read back differs:\n%s", EncodeNodesConf(back))
	}
}

func TestNodesConfRefusesDamage(t *testing.T) {
	text := string(EncodeNodesConf(sampleConf()))
	lines := strings.SplitAfter(text, "\n")
	for i := range lines[:len(lines)-1] {
		cut := strings.Join(lines[:i], "")
		if _, err := DecodeNodesConf([]byte(cut)); err == nil {
			t.Errorf("accepted a file cut off after line %d", i)
		}
	}
	for _, bad := range []string{
		strings.Replace(text, "x-format 2", "x-format 3", 1),
		strings.Replace(text, "x-format 2\n", "", 1),
		strings.Replace(text, "x-generation 6", "x-generation six", 1),
		strings.Replace(text, "myself,", "", 1),
		strings.Replace(text, "0-8191,9000", "0-99999", 1),
		strings.Replace(text, "@17000", "", 1),
	} {
		if _, err := DecodeNodesConf([]byte(bad)); err == nil {
			t.Errorf("accepted:\n%s", bad)
		}
	}
}

func FuzzNodesConf(f *testing.F) {
	f.Add(EncodeNodesConf(sampleConf()))
	f.Fuzz(func(t *testing.T, text []byte) {
		conf, err := DecodeNodesConf(text)
		if err != nil {
			return
		}
		again, err := DecodeNodesConf(EncodeNodesConf(conf))
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if !reflect.DeepEqual(conf, again) {
			t.Fatalf("changed on the way:\n%s\n%s", EncodeNodesConf(conf), EncodeNodesConf(again))
		}
	})
}
