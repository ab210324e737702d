/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzz target without a fuzzer: gives it every file named, and every file of the directories
 * named. Options, which are for libFuzzer, are passed over.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static size_t n_files;

static void replay_file(const char *path, size_t size)
{
	/* Not larger than the input, so that a read behind its end is found. */
	unsigned char *data = mem_alloc(size ? size : 1);
	FILE *file = fopen(path, "rb");

	if (!file || fread(data, 1, size, file) != size) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	n_files++;
}

static void replay(const char *path)
{
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	if (stat(path, &st) < 0 || (S_ISDIR(st.st_mode) && !(dir = opendir(path)))) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path, (size_t)st.st_size);
		return;
	}
	while ((entry = readdir(dir))) {
		char *name = mem_printf("%s/%s", path, entry->d_name);

		if (*entry->d_name != '.')
			replay(name);
		free(name);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (*argv[i] != '-')
			replay(argv[i]);
	}
	printf("%zu inputs\n", n_files);
	return n_files ? EXIT_SUCCESS : EXIT_FAILURE;
}
