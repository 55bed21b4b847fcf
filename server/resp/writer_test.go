package resp

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestWriter(t *testing.T) {
	everything := func(w *Writer) {
		w.OK()
		w.Status("PONG")
		w.Error("ERR a\r\nb")
		w.Int(-7)
		w.Bulk([]byte("a\r\n"))
		w.BulkInt(12)
		w.Null()
		w.NullArray()
		w.Array(2)
		w.Map(2)
		w.Set(3)
		w.Push(1)
		w.Bool(true)
		w.Bool(false)
		w.Double(1.5)
		w.BigNumber("123")
		w.Verbatim("txt", "hi")
		if w.Attribute(1) {
			w.BulkString("a")
			w.Int(1)
		}
	}
	common := "+OK\r\n+PONG\r\n-ERR a  b\r\n:-7\r\n$3\r\na\r\n\r\n$2\r\n12\r\n"
	w := &Writer{}
	everything(w)
	want := common + "$-1\r\n*-1\r\n*2\r\n*4\r\n*3\r\n*1\r\n:1\r\n:0\r\n$3\r\n1.5\r\n$3\r\n123\r\n$2\r\nhi\r\n"
	if string(w.Bytes()) != want {
		t.Errorf("RESP2: %q\nwant   %q", w.Bytes(), want)
	}
	w.Reset()
	w.SetProto(3)
	everything(w)
	want = common + "_\r\n_\r\n*2\r\n%2\r\n~3\r\n>1\r\n#t\r\n#f\r\n,1.5\r\n(123\r\n=6\r\ntxt:hi\r\n|1\r\n$1\r\na\r\n:1\r\n"
	if string(w.Bytes()) != want {
		t.Errorf("RESP3: %q\nwant   %q", w.Bytes(), want)
	}
}

func printed(f float64) string { return string(AppendDouble(nil, f)) }

func TestAppendDouble(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 1: "1", -1: "-1", 1.5: "1.5", 0.1: "0.1", 3.14: "3.14", 1e6: "1000000", 1e15: "1000000000000000", 1 << 52: "4503599627370496",
		1e17: "1e+17", 1e20: "1e+20", 1e21: "1e+21", 1.5e300: "1.5e+300", 0.0001: "0.0001", 1e-6: "0.000001", 1e-7: "1e-7", 1.5e-7: "1.5e-7",
		123456.789: "123456.789", -0.25: "-0.25", math.MaxFloat64: "1.7976931348623157e+308", 5e-324: "5e-324", 9007199254740993: "9007199254740992",
		math.Inf(1): "inf", math.Inf(-1): "-inf", math.Copysign(0, -1): "-0",
	} {
		if got := printed(f); got != want && !(f == 0 && got == "0") {
			t.Errorf("%g: %q, want %q", f, got, want)
		}
	}
	if got := printed(math.Copysign(0, -1)); got != "-0" {
		t.Errorf("-0: %q", got)
	}
	if got := printed(math.NaN()); got != "nan" {
		t.Errorf("NaN: %q", got)
	}
}

func FuzzAppendDouble(f *testing.F) {
	f.Add(1.0)
	f.Add(1e-300)
	f.Fuzz(func(t *testing.T, x float64) {
		if math.IsNaN(x) {
			return
		}
		text := printed(x)
		back, err := strconv.ParseFloat(text, 64)
		if err != nil || back != x || strings.Contains(text, " ") {
			t.Fatalf("%g was printed as %q, which is %g (%v)", x, text, back, err)
		}
	})
}

func TestWriterDoesNotAllocate(t *testing.T) {
	w := &Writer{}
	w.SetProto(3)
	value := []byte("value")
	n := testing.AllocsPerRun(100, func() {
		w.Reset()
		w.OK()
		w.Bulk(value)
		w.Int(123456)
		w.Double(1.25)
		w.Map(3)
		w.Null()
		w.BulkInt(77)
	})
	if n > 1 {
		t.Errorf("%v allocations", n)
	}
}
