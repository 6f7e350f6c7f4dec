/* SPDX-License-Identifier: GPL-2.0 */
/* The program as a starter: a process that copies itself for each file that it is sent. */
#ifndef MLS_FORMATS_HDF5_CHILD_STARTER_H
#define MLS_FORMATS_HDF5_CHILD_STARTER_H

/**
 * mls_starter_serve() - start processes until nobody asks for any
 *
 * Returns in each of them, with MLS_H5_SOCKET and MLS_H5_IMAGE as if it had been executed for
 * this file: the seconds of processor time that it may take.
 */
unsigned int mls_starter_serve(void);

#endif /* MLS_FORMATS_HDF5_CHILD_STARTER_H */
