"""One slide: geometry in microns, regions of interest, quality control, filters, extraction to records."""
