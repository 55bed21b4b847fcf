package main

import (
	"math"
	"math/rand/v2"
)

// zipfian draws from n keys so that the i-th most frequent one has a share of
// 1/i^0.99, as YCSB does (Gray et al., "Quickly generating billion-record synthetic
// databases", SIGMOD 1994). Frequent keys are spread over the key space.
func zipfian(n int, seed uint64) func() int {
	const theta = 0.99
	zeta := 0.0
	for i := 1; i <= n; i++ {
		zeta += 1 / math.Pow(float64(i), theta)
	}
	second := 1 + math.Pow(0.5, theta)
	alpha := 1 / (1 - theta)
	eta := (1 - math.Pow(2/float64(n), 1-theta)) / (1 - second/zeta)
	rng := rand.New(rand.NewPCG(seed, 3))
	return func() int {
		u := rng.Float64()
		rank := 0
		switch x := u * zeta; {
		case x < 1:
		case x < second:
			rank = 1
		default:
			rank = min(int(float64(n)*math.Pow(eta*u-eta+1, alpha)), n-1)
		}
		return scatter(rank, n)
	}
}

// scatter is a permutation of 0…n-1 that has nothing to do with the order. (A
// Feistel network over the next power of four, walked until it hits the range.)
func scatter(i, n int) int {
	half := 1
	for 1<<(2*half) < n {
		half++
	}
	mask := uint32(1)<<half - 1
	for {
		left, right := uint32(i>>half), uint32(i)&mask
		for round := range uint32(3) {
			f := (right + round) * 0x9E3779B1
			left, right = right, left^(f>>15)&mask
		}
		if i = int(left)<<half | int(right); i < n {
			return i
		}
	}
}
