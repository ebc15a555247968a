# usage: zsh -f complete.zsh FOLDER LINE      what a script in FOLDER offers at the line's end
#
# zsh completes in its line editor only, so an interactive one is driven through a terminal of its
# own. It marks where its offers begin and end with a line of its own.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "source ${(q)0:a:h}/complete-setup.zsh ${(q)1}"
zpty -r -m shell output '*READY*' || exit
zpty -w -n shell "$2"$'\t'
zpty -r -m shell output '*BEGIN*END*' || exit
output=${${output##*BEGIN}%%END*}
print -rl -- ${(f)${output//$'\r'/}}
zpty -d shell
