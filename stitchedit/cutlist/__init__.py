"""Cut lists of editing programs (OTIO, EDL, AAF): which frames of which media are shown, and the list with edited ones.

cuts = read_cut_list(Path("cut.otio"))
for shot in cuts.shots:
    shot.media, shot.start, shot.duration
"""
