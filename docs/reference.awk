# How Doxygen reads a header, line by line, so that the headers read well without it:
#
# - A formula, which is indented in its comment, is shown as it stands.
# - A comment at a declaration of several names, `Index rows = 0, cols = 0;  ///< text`, is for all of them.
# - What has the same meaning everywhere is said once, below, and not at each of its many places.
BEGIN {
  same["forward"] = "What the layer computes: see \\ref conventions."
  same["backward"] = "The way back: adds the weights' gradients to g and writes dx. See \\ref conventions."
  same["extend"] = "As forward, for columns that follow what memory holds. See \\ref conventions."
  same["graph"] = "Writes down what forward does, for other programs to run. See \\ref conventions."
  same["fields"] = "Names all that changes, for checkpoints: see heed/core/fields.hpp."
  same["valid"] = "Whether what a checkpoint brought makes sense: see heed/core/fields.hpp."
  same["reset"] = "The first state of an episode."
  same["step"] = "Replaces the state by the next and says what that brought."
  same["observe"] = "Writes what is seen of the state."
  same["allowed"] = "Makes false what may not be chosen now."
  same["observation"] = "The features of a column of what is observed."
  same["actions"] = "How many actions there are."
  same["time_limit"] = "The most steps of an episode, 0 where there is no limit."
  same["entities"] = "How many columns are seen."
  same["agents"] = "How many act, in all episodes."
  same["acts"] = "Whether the agent is still there."
  same["d"] = "The gradient that lies at the handle, rows x columns of the axis."
  same["view"] = "What layers take."
  same["begin"] = "Says what the columns of the axis are in the coming batch."
  same["input"] = "The axis of what goes in."
  same["past"] = "How many columns before it a column looks back."
  same["in"] = "Rows of what goes in."
  same["out"] = "Rows of what comes out."
  same["heads"] = "How many heads attend."
  same["source_dim"] = "Rows of the source."
  same["lanes"] = "How many lanes it remembers."
  same["length"] = "How many columns there are, of a lane or of a sequence."
  same["columns"] = "Columns of the axis."
  same["sequences"] = "The sequences of the axis."
  same["advance"] = "Commits what was last shown, of all lanes."
  same["forget"] = "Starts anew, all lanes."
  same["size"] = "How many numbers there are."
  same["low"] = "The least that an action may be."
  same["high"] = "The most that an action may be."
  same["log_prob"] = "The logarithm of its probability, or of its density."
  same["entropy"] = "In nats."
  same["add_log_prob_gradient"] = "Adds scale times the gradient of the logarithm of its probability."
  same["add_entropy_gradient"] = "Adds scale times the gradient of the entropy."
  same["add_divergence_gradient"] = "Adds scale times the gradient of the divergence from this to q."
  member["Weight"] = "A weight: see the formula of its type."
  member["Columns"] = "Columns of activations: see the formula of its type."
  member["Remembered"] = member["State"] = "What memory holds: see the formula of its type."
  member["Axis"] = "What its columns are."
  layers = "^(Linear|LayerNorm|Activation|Dropout|Residual|GatedResidual|FeedForward|Embedding|Gru|Stack|Pointer|Convolution|" \
      "[A-Za-z]*(Attention|Pooling|Encoding|Encoder|Decoder|Block|Body|Net|PatchEmbedding|FractionalDifference)|Block|Body)$"
  type["Scalar"] = type["S"] = "What its numbers are: float or double."
  type["Config"] = "What its constructor is told."
  type["State"] = "All that changes in an episode."
  type["Action"] = "What an agent does in a step: see Environment."
}
function names(line,   bare) {  # whether it declares several
  bare = line
  while (gsub(/<[^<>]*>|\{[^{}]*\}|\([^()]*\)/, "", bare)) {}
  return bare ~ /^ +[A-Za-z_:]+ .*,.*; *$/ && bare !~ /^ +(return|using|friend)/
}
function member_of(line,   name) {  # what is said of a handle or a layer in a layer
  name = line
  sub(/^ +(std::optional<)?/, "", name)
  sub(/[< ].*/, "", name)
  return name in member ? member[name] : name ~ layers ? "A layer of it: see the formula of its type." : ""
}
function show(line) {
  if (held != "") { print held; held = "" }
  print line
}
{
  line = $0
  if (line ~ /^ *\/\/\//) {
    if (!sub(/\/\/\/   /, "///       ", line)) gsub(/et al\. /, "et al.\\ ", line)  # which ends no sentence
    show(line)
    documented = 1
    next
  }
  if (line ~ /^ +template </ && line !~ /[;{]$/) {  # a comment stands before this
    if (held != "") print held
    held = line
    next
  }
  if (match(line, / *\/\/\/< /)) {
    text = substr(line, RSTART + RLENGTH)
    if (names(substr(line, 1, RSTART - 1))) line = "/** " text " *//**@{*/" substr(line, 1, RSTART - 1) "/**@}*/"
  } else if (documented) {
    if (names(line)) line = "/**@{*/" line "/**@}*/"
  } else if (line ~ /^ +(friend|[A-Za-z<>]+[ (&]).*= default;$/) {
    line = "/** Member by member. */" line
  } else if (line ~ /^  struct Config \{/) {
    line = "/** What its constructor is told. */" line
  } else if (line ~ /^  struct State \{/) {
    line = "/** All that changes in an episode. */" line
  } else if (line ~ /^  operator [A-Za-z]+View[<(].*\(\)/) {
    line = "/** What layers take. */" line
  } else if (line ~ /^  explicit operator bool\(\)/) {
    line = "/** Whether there is one. */" line
  } else if (line ~ /^  (  )?(std::optional<)?[A-Z][A-Za-z]*(<.*>)? [a-z_A-Z0-9]+([,{ ].*)?;$/ && member_of(line) != "") {
    if (names(line)) line = "/** " member_of(line) " *//**@{*/" line "/**@}*/"; else line = "/** " member_of(line) " */" line
  } else if (line ~ /^  (explicit )?[A-Z][A-Za-z]*\(Scope at[,)]/) {
    line = "/** Made at a place of a layout, whose axis is that of its columns: see \\ref conventions. */" line
  } else if (line ~ /^  (  )?(constexpr |static )*[A-Za-z_][A-Za-z_:<>, ]*[ &*][a-z_]+\(/ && line !~ /^ +return /) {
    name = line
    sub(/\(.*/, "", name)
    sub(/.*[ &*]/, "", name)
    if (name in same)
      if (held != "") held = "/** " same[name] " */" held; else line = "/** " same[name] " */" line
  } else if (match(line, /^  using [A-Za-z]+ =/)) {
    name = substr(line, 9, RLENGTH - 10)
    if (name in type) line = "/** " type[name] " */" line
  }
  show(line)
  documented = 0
}
END { if (held != "") print held }
