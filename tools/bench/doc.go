// Command bench runs the same load against Cobble and redis-server by turns and
// prints what they did as ratios. It measures; it judges nothing and knows nothing
// of either server but its command line, and what INFO says of work in the background.
//
// What redis-benchmark can do is left to it. A client of its own sends at a fixed rate
// (latency from the time at which a command was due), draws keys from a zipfian
// distribution, and writes values that do not compress.
package main
