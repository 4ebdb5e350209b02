package password

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go/adjacency"
	"github.com/ccojocar/zxcvbn-go/data"
	"github.com/ccojocar/zxcvbn-go/entropy"
	"github.com/ccojocar/zxcvbn-go/match"
	"github.com/ccojocar/zxcvbn-go/scoring"
)

// Score is an estimate of the strength of a password from 0 to 4, or NoScore.
type Score int

// NoScore is the score of an empty password.
const NoScore Score = -1

// Label returns the score in words, or "" for NoScore.
func (s Score) Label() string {
	labels := [...]string{"Very weak", "Weak", "Fair", "Good", "Strong"}
	if s < 0 || int(s) >= len(labels) {
		return ""
	}
	return labels[s]
}

// maxScored is how many characters of a password are scored: the time zxcvbn
// takes grows faster than the length, and 32 suffice for the top score.
const maxScored = 32

// unleet undoes the usual substitutions of symbols for letters.
var unleet = strings.NewReplacer("4", "a", "@", "a", "3", "e", "1", "i", "!", "i",
	"0", "o", "$", "s", "5", "s", "7", "t")

// Strength scores a password for a meter that is only advice. A password that [Check]
// refuses scores 0.
func Strength(pw string, personal ...string) Score {
	if pw == "" {
		return NoScore
	}
	if Check(pw, personal...) != nil {
		return 0
	}
	runes := []rune(Normalize(pw))
	pw = string(runes[:min(len(runes), maxScored)])
	list := slices.DeleteFunc(words(personal), func(word string) bool { return utf8.RuneCountInString(word) < shortWord })
	return min(score(pw, list), score(unleet.Replace(pw), list))
}

// score is zxcvbn's, without its package matching, which finds the patterns. That
// builds its dictionaries at the start of every process, which takes 50 ms and 18 MiB,
// and tries every combination of leet letters, which is exponential.
func score(pw string, personal []string) Score {
	return Score(scoring.MinimumEntropyMatchSequence(pw, patterns(pw, personal)).Score)
}

// patterns returns the parts of pw that are easier to guess than single characters.
func patterns(pw string, personal []string) []match.Match {
	found := slices.Concat(wordsIn(pw, personal), runsIn(pw), datesIn(pw))
	for name, keyboard := range adjacency.GraphMap {
		if name != "l33t" {
			found = append(found, walksIn(pw, keyboard)...)
		}
	}
	return found
}

// part is pw[i:j].
func part(pw string, i, j int) match.Match {
	return match.Match{Pattern: "part", I: i, J: j - 1, Token: pw[i:j]}
}

// ranks maps a word to how common it is: 1 is the most common in its list.
var ranks = sync.OnceValue(func() map[string]int {
	all := make(map[string]int, 86_000)
	for _, name := range []string{"Passwords", "English", "MaleNames", "FemaleNames", "Surnames"} {
		var file struct{ List []string }
		if err := json.Unmarshal(data.MustAsset("data/"+name+".json"), &file); err != nil {
			panic(fmt.Errorf("password: %s: %w", name, err)) // the list is embedded
		}
		for i, word := range file.List {
			word = strings.ToLower(word)
			if rank, known := all[word]; !known || i+1 < rank {
				all[word] = i + 1
			}
		}
	}
	return all
})

// wordsIn returns each personal or common word.
func wordsIn(pw string, personal []string) (found []match.Match) {
	lower := strings.Map(func(r rune) rune {
		if l := unicode.ToLower(r); utf8.RuneLen(l) == utf8.RuneLen(r) { // i and j count bytes
			return l
		}
		return r
	}, pw)
	for i := range lower {
		for j := i + 1; j <= len(lower); j++ {
			word := lower[i:j] // not a word if it ends within a character
			rank := slices.Index(personal, word) + 1
			if rank == 0 {
				rank = ranks()[word]
			}
			if rank > 0 {
				m := part(pw, i, j)
				m.Entropy = entropy.DictionaryEntropy(m, float64(rank))
				found = append(found, m)
			}
		}
	}
	return found
}

// walksIn returns each three or more neighbors on a keyboard.
func walksIn(pw string, keyboard adjacency.Graph) (found []match.Match) {
	for i := 0; i < len(pw); {
		j, turns, shifted, last := i+1, 0, 0, -1
		for ; j < len(pw); j++ {
			neighbors, key := keyboard.Graph[pw[j-1:j]], pw[j:j+1] // one in each direction: a key, and with Shift
			direction := slices.IndexFunc(neighbors, func(keys string) bool { return strings.Contains(keys, key) })
			if direction < 0 {
				break
			}
			if direction != last {
				turns, last = turns+1, direction
			}
			if strings.Index(neighbors[direction], key) == 1 {
				shifted++
			}
		}
		if j-i >= 3 {
			m := part(pw, i, j)
			m.DictionaryName = keyboard.Name
			m.Entropy = entropy.SpatialEntropy(m, turns, shifted)
			found = append(found, m)
		}
		i = j
	}
	return found
}

// runsIn returns each three or more characters such as "aaa", "cde" and "321".
func runsIn(pw string) (found []match.Match) {
	runes := []rune(pw)
	var at []int // the start of each, and the end of the last
	for i := range pw {
		at = append(at, i)
	}
	at = append(at, len(pw))
	for i := 0; i+2 < len(runes); {
		step, j := runes[i+1]-runes[i], i+2
		for j < len(runes) && runes[j]-runes[j-1] == step {
			j++
		}
		m := part(pw, at[i], at[j])
		switch {
		case j-i < 3:
		case step == 0:
			m.Entropy = entropy.RepeatEntropy(m)
			found = append(found, m)
		case step == 1, step == -1:
			m.Entropy = entropy.SequenceEntropy(m, len("abcdefghijklmnopqrstuvwxyz"), step > 0)
			found = append(found, m)
		}
		i = j - 1
	}
	return found
}

// dates finds dates in the usual orders, and years.
var dates = func() *regexp.Regexp {
	const day, month, year, by = `(0?[1-9]|[12]\d|3[01])`, `(0?[1-9]|1[0-2])`, `((19|20)?\d\d)`, `[-/\\_. ]?`
	r := regexp.MustCompile(day + by + month + by + year + `|` + month + by + day + by + year + `|` +
		year + by + month + by + day + `|(19|20)\d\d`)
	r.Longest()
	return r
}()

// datesIn returns each date and year.
func datesIn(pw string) (found []match.Match) {
	for _, at := range dates.FindAllStringIndex(pw, -1) {
		m := part(pw, at[0], at[1])
		m.Entropy = entropy.DateEntropy(match.DateMatch{})
		found = append(found, m)
	}
	return found
}
