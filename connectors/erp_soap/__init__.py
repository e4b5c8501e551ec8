"""An ERP with a SOAP 1.1 service for sales documents, described by sales.wsdl."""
