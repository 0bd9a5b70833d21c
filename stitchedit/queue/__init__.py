"""Jobs that are done one after the other, in processes of their own: a folder that several processes share."""
