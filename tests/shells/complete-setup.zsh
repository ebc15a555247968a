# Read by the shell that complete.zsh drives.
unsetopt prompt_cr prompt_sp
PS1= PS2=
unset zle_bracketed_paste
fpath=($1 $fpath)
autoload -Uz compinit
compinit -D -u
bindkey '^I' complete-word
zstyle ':completion:*' menu no
zstyle ':completion:*' list-prompt ''
mark_begin() { print -r -- BEGIN }
mark_end() { print -r -- END }
compprefuncs=(mark_begin)
comppostfuncs=(mark_end)
compadd() {
    # Calls that only ask what would match are the library's own.
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a __hits
    builtin compadd -A __hits "$@"
    (($#__hits)) && print -rl -- $__hits
    builtin compadd "$@"
}
print READY
