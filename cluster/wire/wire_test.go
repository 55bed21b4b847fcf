package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"cobble/cluster"
	"cobble/slots"
)

var update = flag.Bool("update", false, "write the golden bytes anew; only together with a new version")

// bodies has one zero value of every kind, in the order of the kinds.
var bodies = []cluster.Body{
	cluster.Hello{}, cluster.HelloOK{}, cluster.Records{}, cluster.Digest{}, cluster.Fetch{}, cluster.Verify{},
	cluster.Report{}, cluster.Fail{}, cluster.Unfail{}, cluster.Standing{}, cluster.Prepare{}, cluster.Promise{},
	cluster.Accept{}, cluster.Accepted{}, cluster.Refused{}, cluster.Committed{}, cluster.Read{}, cluster.ReadOK{},
	cluster.Copy{}, cluster.CopyOK{}, cluster.ManualStart{}, cluster.ManualOffset{}, cluster.ManualCancel{},
}

// fill gives every field of v a value from r, following pointers and slices,
// so that a field the codec forgets shows as a difference.
func fill(r *rand.Rand, v reflect.Value, deep bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*slots.Set]() {
			v.Set(reflect.ValueOf(randomSlots(r)))
			return
		}
		if required := deep || r.IntN(2) == 0; required {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), deep)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i), deep)
		}
	case reflect.Slice:
		n := 1 + r.IntN(3)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			// Elements that are pointers are never nil.
			if e := v.Index(i); e.Kind() == reflect.Pointer {
				e.Set(reflect.New(e.Type().Elem()))
				fill(r, e.Elem(), deep)
			} else {
				fill(r, e, deep)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i), deep)
		}
	case reflect.String:
		v.SetString(strings.Repeat("h", 1+r.IntN(20)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1 + r.Uint64()>>(64-v.Type().Bits())>>r.IntN(v.Type().Bits())/2)
	case reflect.Int64:
		v.SetInt(1 + r.Int64())
	default:
		panic(v.Kind())
	}
}

func randomSlots(r *rand.Rand) *slots.Set {
	s := new(slots.Set)
	switch r.IntN(3) {
	case 0:
		s.AddRange(slots.Range{First: 0, Last: slots.Count - 1})
	case 1:
		s.Add(slots.Slot(r.IntN(slots.Count)))
		s.AddRange(slots.Range{First: 5461, Last: 10922})
	default:
		for range 4000 {
			s.Add(slots.Slot(r.IntN(slots.Count)))
		}
	}
	return s
}

func randomMessage(r *rand.Rand, body cluster.Body, deep bool) *cluster.Message {
	v := reflect.New(reflect.TypeOf(body))
	fill(r, v.Elem(), deep)
	switch b := v.Interface().(type) { // parts that must be there
	case *cluster.Hello:
		fill(r, reflect.ValueOf(&b.Record).Elem(), true)
	case *cluster.HelloOK:
		fill(r, reflect.ValueOf(&b.Record).Elem(), true)
	case *cluster.Copy:
		fill(r, reflect.ValueOf(&b.Electors).Elem(), true)
	}
	m := &cluster.Message{}
	fill(r, reflect.ValueOf(m).Elem().FieldByName("From"), deep)
	m.Inc, m.Boot, m.Epoch = r.Uint64(), r.Uint64()>>40, r.Uint64()>>50
	m.Body = v.Elem().Interface().(cluster.Body)
	return m
}

func TestEveryFieldSurvives(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, body := range bodies {
		for i := range 40 {
			m := randomMessage(r, body, i%2 == 0)
			b := Append([]byte("before"), m)
			got, err := Decode(b[6:])
			if err != nil {
				t.Fatalf("%T: %v", body, err)
			}
			if !reflect.DeepEqual(got, m) {
				t.Fatalf("%T:\n got %+v\nwant %+v", body, got, m)
			}
		}
	}
	if len(bodies) != int(kindEnd)-1 {
		t.Fatalf("%d bodies tested, there are %d kinds", len(bodies), kindEnd-1)
	}
}

func randomUpdates(r *rand.Rand) []cluster.AcceptorUpdate {
	var reg cluster.Register
	var dom cluster.Domain
	fill(r, reflect.ValueOf(&reg).Elem(), true)
	fill(r, reflect.ValueOf(&dom).Elem(), true)
	var id cluster.ID
	fill(r, reflect.ValueOf(&id).Elem(), true)
	return []cluster.AcceptorUpdate{
		{Cluster: id, Register: &reg}, {Cluster: id, Domain: &dom}, {Rounds: 77}, {Identity: r.Uint64() | 1},
	}
}

func TestUpdatesSurvive(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		for _, u := range randomUpdates(r) {
			got, err := DecodeUpdate(AppendUpdate(nil, &u))
			if err != nil || !reflect.DeepEqual(got, u) {
				t.Fatalf("%v\n got %+v\nwant %+v", err, got, u)
			}
		}
	}
}

func randomChange(r *rand.Rand) *cluster.ConfChange {
	v := new(cluster.ConfChange)
	fill(r, reflect.ValueOf(v).Elem(), true)
	for _, open := range [][]cluster.OpenSlot{v.Migrating, v.Importing} {
		for i := range open {
			open[i].Slot %= slots.Count
		}
	}
	return v
}

func TestChangesSurvive(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 50 {
		v := randomChange(r)
		got, err := DecodeChange(AppendChange(nil, v))
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Fatalf("%v\n got %+v\nwant %+v", err, got, v)
		}
	}
}

// The bytes of one message of every kind, frozen. A difference means that
// running clusters could not be upgraded node by node.
func TestGoldenBytes(t *testing.T) {
	const file = "testdata/golden.txt"
	r := rand.New(rand.NewPCG(42, 42))
	var text strings.Builder
	for _, body := range bodies {
		fmt.Fprintf(&text, "%T %x\n", body, Append(nil, randomMessage(r, body, true)))
	}
	for i, u := range randomUpdates(r) {
		fmt.Fprintf(&text, "update%d %x\n", i+1, AppendUpdate(nil, &u))
	}
	fmt.Fprintf(&text, "change %x\n", AppendChange(nil, randomChange(r)))
	if *update {
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Fatal("the format has changed: a new version, or a bug")
	}
}

func TestDigestByHand(t *testing.T) {
	m := &cluster.Message{Inc: 300, Boot: 2, Epoch: 0, Body: cluster.Digest{Table: 1, ElectorVer: 5}}
	m.From[0], m.From[19] = 0xab, 0xcd
	want := "01" + "04" + "ab" + strings.Repeat("00", 18) + "cd" + "ac02" + "02" + "00" + "01" + strings.Repeat("00", 20) + "05"
	if got := hex.EncodeToString(Append(nil, m)); got != want {
		t.Fatalf("\n got %s\nwant %s", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := Append(nil, &cluster.Message{Body: cluster.Verify{}})
	head := good[:25]
	with := func(b ...byte) []byte { return append(bytes.Clone(head), b...) }
	kindOfBytes := func(k kind, b ...byte) []byte { m := with(b...); m[1] = byte(k); return m }
	zeros := func(n int) []byte { return make([]byte, n) }
	cases := []struct {
		name string
		in   []byte
		want error
	}{
		{"empty", nil, ErrTruncated},
		{"version only", good[:1], ErrTruncated},
		{"cut", good[:len(good)-1], ErrTruncated},
		{"trailing", append(bytes.Clone(good), 0), ErrMalformed},
		{"kind 0", kindOfBytes(0), ErrMalformed},
		{"kind beyond", kindOfBytes(kindEnd), ErrMalformed},
		{"bool of 2", kindOfBytes(kindHello, 2), ErrMalformed},
		{"long varint", kindOfBytes(kindManualStart, 0x80, 0x00), ErrMalformed},
		{"varint overflow", kindOfBytes(kindManualStart, bytes.Repeat([]byte{0xff}, 11)...), ErrMalformed},
		{"count beyond the bytes", kindOfBytes(kindFetch, 0xff, 0xff, 0x03), ErrTruncated},
		{"count beyond the limit", kindOfBytes(kindFetch, 0xff, 0xff, 0x7f), ErrMalformed},
		{"slot set form", kindOfBytes(kindPrepare, append(zeros(43), append([]byte{1}, append(zeros(23), 9)...)...)...), ErrMalformed},
		{"too large", append(bytes.Clone(good), make([]byte, MaxMessage)...), ErrMalformed},
	}
	for _, c := range cases {
		if _, err := Decode(c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	newer := bytes.Clone(good)
	newer[0] = Version + 1
	var v *VersionError
	if _, err := Decode(newer); !errors.As(err, &v) || v.Got != Version+1 || !strings.Contains(err.Error(), "upgrade") {
		t.Errorf("newer version: %v", err)
	}
	if _, err := DecodeUpdate([]byte{Version + 1, 1}); !errors.As(err, &v) {
		t.Errorf("newer update: %v", err)
	}
}

func TestSlotSetRunsAreChecked(t *testing.T) {
	for _, b := range [][]byte{
		{slotsRuns, 0},
		{slotsRuns, 1, 0xff, 0x7f, 1},    // 16383 and one more
		{slotsRuns, 2, 0, 0, 0, 0},       // two runs that touch
		{slotsRuns, 1, 0x80, 0x80, 1, 0}, // slot 16384
		append([]byte{slotsBitmap}, make([]byte, 2048)...),
	} {
		c := coder{reading: true, in: b}
		var s *slots.Set
		if slotSet(&c, &s); !errors.Is(c.err, ErrMalformed) {
			t.Errorf("%x: %v", b[:min(len(b), 8)], c.err)
		}
	}
}

// Whatever bytes arrive: no panic, and what is taken is in its one form.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, body := range bodies {
		f.Add(Append(nil, randomMessage(r, body, false)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		if again := Append(nil, m); !bytes.Equal(again, b) {
			t.Fatalf("taken as %+v, which is written otherwise:\n%x\n%x", m, b, again)
		}
	})
}

func FuzzDecodeUpdate(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, u := range randomUpdates(r) {
		f.Add(AppendUpdate(nil, &u))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := DecodeUpdate(b)
		if err != nil {
			return
		}
		if again := AppendUpdate(nil, &u); !bytes.Equal(again, b) {
			t.Fatalf("taken as %+v, which is written otherwise", u)
		}
	})
}

func FuzzDecodeChange(f *testing.F) {
	r := rand.New(rand.NewPCG(10, 11))
	for range 3 {
		f.Add(AppendChange(nil, randomChange(r)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := DecodeChange(b)
		if err != nil {
			return
		}
		if again := AppendChange(nil, v); !bytes.Equal(again, b) {
			t.Fatalf("taken as %+v, which is written otherwise", v)
		}
	})
}
