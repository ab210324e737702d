# SPDX-License-Identifier: GPL-2.0-or-later
dist_man_MANS = \
	%D%/fnat.7 \
	%D%/fnat-api.7 \
	%D%/fnat.json.5 \
	%D%/fnatctl.8 \
	%D%/fnatd.8
