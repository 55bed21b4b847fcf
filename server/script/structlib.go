package script

import (
	"encoding/binary"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// newStruct makes the struct object: C structures in strings. (Options: those of Lua's struct library: > < ! and the
// letters b B h H l L T i I f d s c x.)
func newStruct(L *lua.LState) *lua.LTable {
	t := L.NewTable()
	for name, fn := range map[string]lua.LGFunction{"pack": structPack, "unpack": structUnpack, "size": structSize} {
		t.RawSetString(name, L.NewFunction(fn))
	}
	return t
}

// layout walks over a format.
type layout struct {
	L     *lua.LState
	text  string
	at    int
	order binary.AppendByteOrder
	align int
}

func newLayout(L *lua.LState) *layout {
	return &layout{L: L, text: L.CheckString(1), order: binary.LittleEndian, align: 1}
}

func (l *layout) number(otherwise int) int {
	if l.at >= len(l.text) || l.text[l.at] < '0' || l.text[l.at] > '9' {
		return otherwise
	}
	n := 0
	for l.at < len(l.text) && l.text[l.at] >= '0' && l.text[l.at] <= '9' {
		if n > (math.MaxInt32-9)/10 {
			l.L.RaiseError("integral size overflow")
		}
		n = n*10 + int(l.text[l.at]-'0')
		l.at++
	}
	return n
}

// next returns the next option that takes room, its size, and the padding before it at a position.
func (l *layout) next(position int) (option byte, size, padding int, ok bool) {
	for l.at < len(l.text) {
		option = l.text[l.at]
		l.at++
		switch option {
		case ' ':
			continue
		case '>':
			l.order = binary.BigEndian
			continue
		case '<':
			l.order = binary.LittleEndian
			continue
		case '!':
			l.align = l.number(8)
			if l.align <= 0 || l.align&(l.align-1) != 0 {
				l.L.RaiseError("alignment is not a power of 2")
			}
			continue
		}
		size = l.size(option)
		if by := min(size, l.align); option != 'c' && option != 's' && by > 1 && by&(by-1) == 0 {
			padding = (by - position&(by-1)) & (by - 1)
		}
		return option, size, padding, true
	}
	return 0, 0, 0, false
}

func (l *layout) size(option byte) int {
	switch option {
	case 'b', 'B', 'x':
		return 1
	case 'h', 'H':
		return 2
	case 'l', 'L', 'T', 'd':
		return 8
	case 'f':
		return 4
	case 's':
		return 0
	case 'c':
		return l.number(1)
	case 'i', 'I':
		n := l.number(4)
		if n > 32 || n < 1 {
			l.L.RaiseError("integral size %d is larger than limit of %d", n, 32)
		}
		return n
	}
	l.L.ArgError(1, "invalid format option '"+string(option)+"'")
	return 0
}

func structSize(L *lua.LState) int {
	l, total := newLayout(L), 0
	for {
		option, size, padding, ok := l.next(total)
		if !ok {
			break
		}
		if option == 's' {
			L.ArgError(1, "variable-size format in sizeof")
		}
		if option == 'c' && size == 0 {
			L.ArgError(1, "variable-length format in sizeof")
		}
		total += size + padding
	}
	L.Push(lua.LNumber(total))
	return 1
}

func structPack(L *lua.LState) int {
	l, arg := newLayout(L), 2
	var b []byte
	for {
		option, size, padding, ok := l.next(len(b))
		if !ok {
			break
		}
		b = append(b, make([]byte, padding)...)
		switch option {
		case 'x':
			b = append(b, 0)
			continue
		case 'f':
			b = l.order.AppendUint32(b, math.Float32bits(float32(L.CheckNumber(arg))))
		case 'd':
			b = l.order.AppendUint64(b, math.Float64bits(float64(L.CheckNumber(arg))))
		case 's':
			b = append(append(b, L.CheckString(arg)...), 0)
		case 'c':
			s := L.CheckString(arg)
			if size == 0 {
				size = len(s)
			}
			if len(s) < size {
				L.ArgError(arg, "string too short")
			}
			b = append(b, s[:size]...)
		default:
			b = l.appendInt(b, float64(L.CheckNumber(arg)), size)
		}
		arg++
	}
	L.Push(lua.LString(b))
	return 1
}

func (l *layout) appendInt(b []byte, f float64, size int) []byte {
	var n uint64
	if f < 0 {
		n = uint64(int64(f))
	} else {
		n = uint64(f)
	}
	from := len(b)
	for i := range size {
		switch {
		case i < 8:
			b = append(b, byte(n>>(8*i)))
		case f < 0:
			b = append(b, 0xff)
		default:
			b = append(b, 0)
		}
	}
	if l.order == binary.AppendByteOrder(binary.BigEndian) {
		for i, j := from, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
	return b
}

func (l *layout) int(b []byte, signed bool) float64 {
	var n uint64
	size := len(b)
	for i := range size {
		c := b[i]
		if l.order != binary.AppendByteOrder(binary.BigEndian) {
			c = b[size-1-i]
		}
		n = n<<8 | uint64(c)
	}
	if signed {
		if size < 8 {
			return float64(int64(n<<(64-8*size)) >> (64 - 8*size))
		}
		return float64(int64(n))
	}
	return float64(n)
}

func structUnpack(L *lua.LState) int {
	l, data := newLayout(L), L.CheckString(2)
	at := L.OptInt(3, 1) - 1
	if at < 0 {
		L.ArgError(3, "offset must be 1 or greater")
	}
	pushed := 0
	last := lua.LValue(lua.LNil)
	for {
		option, size, padding, ok := l.next(at)
		if !ok {
			break
		}
		at += padding
		if at > len(data) || size > len(data)-at {
			L.ArgError(2, "data string too short")
		}
		piece := data[at : at+size]
		switch option {
		case 'x':
			at += size
			continue
		case 'f':
			last = lua.LNumber(math.Float32frombits(uint32(l.bits(piece))))
		case 'd':
			last = lua.LNumber(math.Float64frombits(l.bits(piece)))
		case 's':
			end := at
			for end < len(data) && data[end] != 0 {
				end++
			}
			if end == len(data) {
				L.ArgError(2, "unfinished string in data")
			}
			last, size = lua.LString(data[at:end]), end-at+1
		case 'c':
			if size == 0 { // the value before says how long
				n, ok := last.(lua.LNumber)
				if !ok || pushed == 0 {
					L.RaiseError("format 'c0' needs a previous size")
				}
				L.Pop(1)
				pushed--
				if size = int(n); size < 0 || size > len(data)-at {
					L.ArgError(2, "data string too short")
				}
				piece = data[at : at+size]
			}
			last = lua.LString(piece)
		default:
			last = lua.LNumber(l.int([]byte(piece), option >= 'a'))
		}
		L.Push(last)
		pushed++
		at += size
	}
	L.Push(lua.LNumber(at + 1))
	return pushed + 1
}

func (l *layout) bits(piece string) uint64 {
	var n uint64
	for i := range len(piece) {
		c := piece[i]
		if l.order != binary.AppendByteOrder(binary.BigEndian) {
			c = piece[len(piece)-1-i]
		}
		n = n<<8 | uint64(c)
	}
	return n
}
