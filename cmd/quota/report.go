package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"gocyrus/lib/quota"
	"gocyrus/lib/repair"
	"gocyrus/lib/site"
)

// printTable prints roots as Cyrus does: limit, per cent of it, usage, resource,
// root, in columns that scripts cut.
func printTable(w io.Writer, s *site.Site, roots []*quota.Root) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "   Quota   % Used     Used             Resource Root\n")
	for _, r := range roots {
		name := repair.External(s, r.Name)
		for i := range quota.NumResources {
			used := r.Used[i] / quota.Unit[i]
			switch limit := r.Limit[i]; {
			case limit > 0:
				fmt.Fprintf(b, " %7d %8d", limit, percent(used, limit))
			case limit == 0:
				fmt.Fprint(b, "       0         ")
			default:
				fmt.Fprint(b, "                 ")
			}
			fmt.Fprintf(b, " %8d %20s %s\n", used, quota.Names[i], name)
		}
	}
	return b.Flush()
}

// percent is used of limit in whole per cent, without overflow.
func percent(used, limit int64) int64 {
	return used/limit*100 + used%limit*100/limit
}

// printJSON prints roots as one object, in octets and counts. Roots come in their
// order, which a map would lose.
func printJSON(w io.Writer, s *site.Site, roots []*quota.Root) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "{")
	for i, r := range roots {
		if i > 0 {
			fmt.Fprint(b, ",")
		}
		name, err := json.Marshal(repair.External(s, r.Name))
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "\n  %s: {", name)
		for j := range quota.NumResources {
			if j > 0 {
				fmt.Fprint(b, ",")
			}
			fmt.Fprintf(b, "\n    %q: {\n      \"used\": %d", quota.Names[j], r.Used[j])
			if r.Limit[j] > 0 {
				fmt.Fprintf(b, ",\n      \"limit\": %d", r.Limit[j]*quota.Unit[j])
			}
			fmt.Fprint(b, "\n    }")
		}
		fmt.Fprint(b, "\n  }")
	}
	if len(roots) > 0 {
		fmt.Fprint(b, "\n")
	}
	fmt.Fprint(b, "}\n")
	return b.Flush()
}
