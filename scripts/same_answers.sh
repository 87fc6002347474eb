#!/bin/bash
# Two programs' answers of `limbic classify --format json` to the same pictures: the same first class of
# each, and probabilities that differ by less than LIMIT. Prints one line.
#
#   scripts/same_answers.sh ONE.json OTHER.json LIMIT
set -euo pipefail

# "picture index probability", the most probable class of each picture first.
numbers() {
  grep -noE '"(index|probability)":[-+.0-9e]+' "$1" | tr -d '"' |
    awk -F: '$2 == "index" { index_ = $3; next } { print $1, index_, $3 }'
}
awk -v limit="$3" '
  NR == FNR { at[$1, $2] = $3; if (!($1 in top)) top[$1] = $2; next }
  !($1 in seen) { seen[$1]; pictures++; same += top[$1] == $2 }
  ($1, $2) in at { d = $3 - at[$1, $2]; if (d < 0) d = -d; if (d > largest) largest = d; both++ }
  END {
    printf "the same top-1 on %d of %d pictures, largest difference of %d probabilities %.2g\n",
      same, pictures, both, largest
    exit !(pictures > 0 && same == pictures && largest < limit)
  }' <(numbers "$1") <(numbers "$2")
