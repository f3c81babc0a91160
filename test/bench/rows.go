package main

import "slices"

// rows is the table, in the order it runs: what reads before what destroys,
// and last what leaves the server larger than it was.
func rows(z sizes) []row {
	return slices.Concat(deliveryRows(z), readRows(z), searchRows(z), changeRows(z), sessionRows(z), memoryRows(z), listRows(z), syncRows(z), murderRows(z))
}
