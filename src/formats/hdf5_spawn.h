/* SPDX-License-Identifier: GPL-2.0 */
/* Executing the program that runs libhdf5 (hdf5_child/), which is part of the library. */
#ifndef MLS_FORMATS_HDF5_SPAWN_H
#define MLS_FORMATS_HDF5_SPAWN_H

#include <sys/types.h>

/**
 * mls_h5_spawn() - execute it
 * @argument: its only one
 * @socket:   becomes its MLS_H5_SOCKET; like @image a result of mls_h5_move_up()
 * @image:    becomes its MLS_H5_IMAGE, or -1: nothing
 * @pid:      receives its number
 * @what:     receives what failed, for messages
 *
 * Return: 0, or an errno (above 0).
 */
int mls_h5_spawn(const char *argument, int socket, int image, pid_t *pid, const char **what);

/** mls_h5_move_up() - @fd, by another number if it is one that the program gets; -1 with errno */
int mls_h5_move_up(int fd);

#endif /* MLS_FORMATS_HDF5_SPAWN_H */
