"""The part of HDF5 that Keras's files have, read from bytes with nothing but NumPy.

After the HDF5 File Format Specification
(https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html): the layout of the first HDF5,
which Keras saves through h5py, and the newer ones, of ``libver="latest"`` and of files that were
packed again. Links that lead elsewhere and arrays that can grow are refused by name. The HDF5
library reads all of it, but crashes on some files with a few wrong bytes, and can be made to open
other files. Checksums, which the first layout had none of, are not looked at.

Nothing is read that lies outside of the bytes, no structure twice, no more of them than ``WORK``,
and of arrays no more than the file is large, compressed ones ``EXPANSION`` times: time and memory
are bounded whatever the bytes say.
"""

from .bounded import EXPANSION, SIGNATURE, WORK
from .file import File

__all__ = ("EXPANSION", "SIGNATURE", "WORK", "File")
