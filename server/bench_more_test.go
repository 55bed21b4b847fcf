package server

import (
	"fmt"
	"testing"
)

func hotSetLine(i int) string {
	return fmt.Sprintf("*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$100\r\n%0100d\r\n", i*7919%1000, i)
}

func incrLine(i int) string {
	return fmt.Sprintf("*2\r\n$4\r\nINCR\r\n$20\r\ncounter:%012d\r\n", i*7919%10000)
}

func hsetLine(i int) string {
	return fmt.Sprintf("*4\r\n$4\r\nHSET\r\n$17\r\nhash:%012d\r\n$5\r\nfield\r\n$100\r\n%0100d\r\n", i*7919%10000, i)
}

func BenchmarkHotSet16(b *testing.B) { benchmarkRounds(b, 16, hotSetLine) }
func BenchmarkHotSet64(b *testing.B) { benchmarkRounds(b, 64, hotSetLine) }
func BenchmarkIncr16(b *testing.B)   { benchmarkRounds(b, 16, incrLine) }
func BenchmarkIncr1(b *testing.B)    { benchmarkRounds(b, 1, incrLine) }
func BenchmarkHset16(b *testing.B)   { benchmarkRounds(b, 16, hsetLine) }
func BenchmarkHset1(b *testing.B)    { benchmarkRounds(b, 1, hsetLine) }
