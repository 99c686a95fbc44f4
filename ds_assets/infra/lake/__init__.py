"""The lake: a folder or an Azure Blob container with tables, models and raw logs."""
