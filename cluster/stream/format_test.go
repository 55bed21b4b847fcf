package stream

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"cobble/cluster"
	"cobble/storage/log"
)

// bodies are all frame bodies that have fields, each with its golden bytes. They
// may never change within a protocol version.
var bodies = []struct {
	name string
	kind byte
	body interface {
		append([]byte) []byte
		decode([]byte) error
	}
	hex string
}{
	{"hello", frameHello, &hello{version: 1, node: cluster.ID{0xaa, 19: 1}, shard: cluster.ID{0xbb, 19: 2}, term: 3,
		position: log.Position{LSN: 0x0102, Term: 4, CRC: 0x01020304}, checkpoint: checkpointID{0x0506, 0x0708}},
		"01 aa00000000000000000000000000000000000001 bb00000000000000000000000000000000000002 0300000000000000" +
			" 0201000000000000 0400000000000000 04030201 0605000000000000 0807000000000000"},
	{"get", frameGet, &get{file: 7, offset: 0x010203, crc: 0xdeadbeef}, "07000000 0302010000000000 efbeadde"},
	{"ack", frameAck, &ack{written: 1, synced: 2, applied: 3, echo: 4},
		"0100000000000000 0200000000000000 0300000000000000 0400000000000000"},
	{"beat", frameBeat, &beat{timeMS: 1, end: 2, term: 3}, "0100000000000000 0200000000000000 0300000000000000"},
	{"full", frameFull, &full{checkpoint: checkpointID{1, 2}, term: 3, files: []file{{"000001.sst", 258}, {"X", 0}}},
		"0100000000000000 0200000000000000 0300000000000000 02000000" +
			" 0201000000000000 0a00 3030303030312e737374 0000000000000000 0100 58"},
}

func TestGoldenBodies(t *testing.T) {
	for _, g := range bodies {
		raw := g.body.append(nil)
		if got, want := hex.EncodeToString(raw), strings.ReplaceAll(g.hex, " ", ""); got != want {
			t.Errorf("%s:\n got %s\nwant %s", g.name, got, want)
		}
		back := reflect.New(reflect.TypeOf(g.body).Elem())
		if err := back.Interface().(interface{ decode([]byte) error }).decode(raw); err != nil || !reflect.DeepEqual(back.Interface(), g.body) {
			t.Errorf("%s: %+v, %v", g.name, back.Interface(), err)
		}
		for _, bad := range [][]byte{raw[:len(raw)-1], append(bytes.Clone(raw), 0)} {
			if err := back.Interface().(interface{ decode([]byte) error }).decode(bad); !errors.Is(err, errFrame) {
				t.Errorf("%s of %d bytes instead of %d: %v", g.name, len(bad), len(raw), err)
			}
		}
	}
}

func TestNamesStayInTheDirectory(t *testing.T) {
	for name, ok := range map[string]bool{
		"000001.sst": true, "MANIFEST-000001": true, "marker.manifest.000001.MANIFEST-000001": true,
		"": false, ".": false, "..": false, ".hidden": false, "a/b": false, "../x": false, `a\b`: false, "a:b": false,
		"a b": false, "a\x00": false, "ä": false, strings.Repeat("x", 256): false,
	} {
		if plainName(name) != ok {
			t.Errorf("%q: %v", name, !ok)
		}
	}
	f := full{files: []file{{"a", 1}, {"a", 2}}}
	if err := new(full).decode(f.append(nil)); !errors.Is(err, errFrame) {
		t.Errorf("one name twice: %v", err)
	}
}

// FuzzBodies: no body makes a decoder panic, and what one accepts has one
// encoding.
func FuzzBodies(f *testing.F) {
	for _, g := range bodies {
		f.Add(g.kind, g.body.append(nil))
	}
	f.Add(byte(frameData), []byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, kind byte, raw []byte) {
		if kind == frameData {
			parseData(raw)
			return
		}
		for _, g := range bodies {
			if g.kind != kind {
				continue
			}
			back := reflect.New(reflect.TypeOf(g.body).Elem()).Interface().(interface {
				append([]byte) []byte
				decode([]byte) error
			})
			if err := back.decode(raw); err != nil {
				if !errors.Is(err, errFrame) {
					t.Fatalf("an error of another kind: %v", err)
				}
				continue
			}
			if h, ok := back.(*hello); ok && h.version != protocolVersion {
				continue // only the version was read
			}
			if again := back.append(nil); !bytes.Equal(again, raw) {
				t.Fatalf("\n got %x\nfrom %x", again, raw)
			}
		}
	})
}

// FuzzRead: no bytes make the reader of frames panic, or give it more than was
// sent.
func FuzzRead(f *testing.F) {
	f.Add([]byte{5, 0, 0, 0, frameGet, 1, 2, 3, 4})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, frameRecords})
	f.Fuzz(func(t *testing.T, raw []byte) {
		l := newLink(&byteConn{r: bytes.NewReader(raw)}, time.Now, time.Hour)
		total := 0
		for {
			_, body, err := l.read()
			if err != nil {
				break
			}
			total += frameHeaderLen + len(body)
		}
		if total > len(raw) || cap(l.buf) > 2*len(raw)+4<<20 {
			t.Fatalf("%d bytes read of %d, a buffer of %d", total, len(raw), cap(l.buf))
		}
	})
}

// byteConn is a connection that has said all it will say.
type byteConn struct {
	net.Conn
	r io.Reader
}

func (c *byteConn) Read(p []byte) (int, error)      { return c.r.Read(p) }
func (c *byteConn) SetReadDeadline(time.Time) error { return nil }
