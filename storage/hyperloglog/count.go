package hyperloglog

import (
	"math"
	"strconv"
)

// Registers are the registers of a sketch, or of a union of sketches.
type Registers [registerCount]uint8

// Merge raises the registers to those of a sketch.
func (all *Registers) Merge(b []byte) error {
	if Sparse(b) {
		return eachRun(b, func(first int, r run) {
			for i := range r.count {
				all[first+i] = max(all[first+i], r.value)
			}
		})
	}
	for i := range all {
		all[i] = max(all[i], getRegister(b[headerSize:], i))
	}
	return nil
}

// Store raises the registers of a sketch and returns it, as Add does.
func (all *Registers) Store(b []byte, maxSparse int64) (out []byte, err error) {
	for i, rank := range all {
		if rank == 0 {
			continue
		}
		if b, _, err = raise(b, i, rank, maxSparse); err != nil {
			return b, err
		}
	}
	return b, nil
}

// Count returns the estimate of the number of different elements.
func (all *Registers) Count() uint64 {
	var ranks histogram
	for _, rank := range all {
		ranks[rank]++
	}
	return ranks.estimate()
}

// Count returns the estimate for a sketch, without a look at the cached one.
func Count(b []byte) (uint64, error) {
	var ranks histogram
	if Sparse(b) {
		left := registerCount
		if err := eachRun(b, func(_ int, r run) {
			ranks[r.value] += r.count
			left -= r.count
		}); err != nil {
			return 0, err
		}
		ranks[0] += left
		return ranks.estimate(), nil
	}
	for i := range registerCount {
		ranks[getRegister(b[headerSize:], i)]++
	}
	return ranks.estimate(), nil
}

// histogram says how many registers have each rank.
type histogram [1 << registerBits]int

// estimate is algorithm 6 of O. Ertl, "New cardinality estimation algorithms for
// HyperLogLog sketches", arXiv:1702.01284. Products are converted so that no
// machine fuses them with a sum.
func (h *histogram) estimate() uint64 {
	const alphaInf, m = 0.721347520444481703680, float64(registerCount)
	z := m * tau((m-float64(h[rankBits+1]))/m)
	for rank := rankBits; rank >= 1; rank-- {
		z += float64(h[rank])
		z *= 0.5
	}
	z += float64(m * sigma(float64(h[0])/m))
	return uint64(math.Round(alphaInf * m * m / z))
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for last := math.NaN(); last != z; {
		x = math.Sqrt(x)
		last = z
		y *= 0.5
		z -= float64((1 - x) * (1 - x) * y)
	}
	return z / 3
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for last := math.NaN(); last != z; {
		x *= x
		last = z
		z += float64(x * y)
		y += y
	}
	return z
}

// All returns the registers of a sketch.
func All(b []byte) (*Registers, error) {
	all := new(Registers)
	return all, all.Merge(b)
}

// AppendOpcodes appends the opcodes of a sparse sketch as text, as PFDEBUG DECODE
// of Redis prints them.
func AppendOpcodes(dst, b []byte) []byte {
	start := len(dst)
	for b = b[headerSize:]; len(b) > 0; {
		r := decode(b)
		if r.count == 0 {
			break
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		switch {
		case r.value != 0:
			dst = append(strconv.AppendUint(append(dst, "v:"...), uint64(r.value), 10), ',')
		case r.size == 1:
			dst = append(dst, "z:"...)
		default:
			dst = append(dst, "Z:"...)
		}
		dst = strconv.AppendInt(dst, int64(r.count), 10)
		b = b[r.size:]
	}
	return dst
}
